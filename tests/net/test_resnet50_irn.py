import pytest
import torch
from published import file_names, state_dict

from misc.files.weights import read_state_dict
from misc.indexing import PathIndex
from net.resnet50_irn import AffinityDisplacementLoss, EdgeDisplacement, Net


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "res50_irn.pth"
    torch.save(state_dict("irn"), path)
    return read_state_dict(path)


def loaded(model, state):
    model.load_published(state, source="published")
    return model.eval()


@pytest.fixture(scope="module")
def inference(published):
    return loaded(EdgeDisplacement(crop_size=64), published)


def training_form():
    return AffinityDisplacementLoss(PathIndex(10, (128, 128)))


@pytest.mark.parametrize("form", [training_form, EdgeDisplacement, Net])
def test_every_name_of_the_published_file_is_known(form, published):
    assert len(published) == len(file_names("irn")) == 1056
    buffer = {"path_indices_0": torch.zeros(3, 4, dtype=torch.int64)}  # as others number theirs
    model = loaded(form(), published | buffer)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, published[name])


def test_the_branches_learn_and_the_backbone_does_not():
    model = AffinityDisplacementLoss(PathIndex(5, (16, 16)))
    before = model.resnet50.bn1.running_mean.clone()
    model.train()
    label = torch.zeros(2, 16, 16, dtype=torch.uint8)
    label[:, 4:12, 5:14] = 3
    terms = model(torch.randn(2, 3, 64, 64), label)
    sum(terms.values()).backward()
    learnt = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    groups = model.trainable_parameters()
    assert set(terms) == {"pos", "neg", "dp_fg", "dp_bg"}
    assert len(learnt) == sum(len(group) for group in groups)
    assert all(name.startswith(("fc_edge", "fc_dp")) for name in learnt)
    assert torch.equal(model.resnet50.bn1.running_mean, before)


@pytest.mark.parametrize(
    ("size", "padded"), [((60, 50), (64, 64)), ((70, 50), (80, 64)), ((60, 96), (64, 96))]
)
def test_an_image_is_padded_to_the_crop_or_to_the_next_multiple_of_16(
    inference, size, padded, monkeypatch
):
    seen = []
    features = inference.features
    monkeypatch.setattr(inference, "features", lambda x: seen.append(x) or features(x))
    with torch.no_grad():
        boundary, displacement = inference(torch.randn(2, 3, *size))
    grid = tuple((side - 1) // 4 + 1 for side in size)
    assert tuple(seen[0].shape[2:]) == padded
    assert not seen[0][:, :, size[0] :].any()
    assert not seen[0][:, :, :, size[1] :].any()
    assert boundary.shape == (1, *grid)
    assert displacement.shape == (2, *grid)
