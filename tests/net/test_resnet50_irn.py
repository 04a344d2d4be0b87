import pytest
import torch
import torch.nn.functional as F
from published import file_names, state_dict

from misc.files.weights import read_state_dict
from misc.indexing import PathIndex
from net.resnet50_irn import AffinityDisplacementLoss, EdgeDisplacement, Net


@pytest.fixture(scope="module")
def published():
    return state_dict("irn")


def loaded(model, state):
    model.load_published(state, source="published")
    return model.eval()


@pytest.fixture(scope="module")
def net(published):
    return loaded(Net(), published)


@pytest.fixture(scope="module")
def inference(published):
    return loaded(EdgeDisplacement(crop_size=64), published)


def training_form():
    return AffinityDisplacementLoss(PathIndex(10, (128, 128)))


@pytest.mark.parametrize("form", [training_form, EdgeDisplacement, Net])
def test_every_name_of_the_published_file_is_known(form, published):
    assert len(published) == len(file_names("irn")) == 1056
    model = loaded(form(), published)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, published[name])


def test_published_weights_load_from_a_file_with_their_aliases_and_buffers(published, tmp_path):
    assert published["dp_layers.0.0.weight"] is published["fc_dp1.0.weight"]
    torch.save(published, tmp_path / "res50_irn.pth")
    model = loaded(training_form(), read_state_dict(tmp_path / "res50_irn.pth"))
    assert torch.equal(model.fc_dp7[3].weight, published["fc_dp7.3.weight"])
    assert torch.equal(model.mean_shift.running_mean, published["fc_dp7.4.running_mean"])


def test_index_buffers_numbered_after_an_underscore_are_ignored_too(published):
    loaded(Net(), published | {"path_indices_0": torch.zeros(3, 4, dtype=torch.int64)})


def branch(state, name, x, *, groups, upsample=1):
    """Compute a block from METHOD section 4: convolution, GroupNorm, upsample, ReLU."""
    x = F.conv2d(x, state[f"{name}.0.weight"])
    x = F.group_norm(x, groups, state[f"{name}.1.weight"], state[f"{name}.1.bias"])
    if upsample > 1:
        x = F.interpolate(x, scale_factor=upsample, mode="bilinear", align_corners=False)
    return F.relu(x)


def cut(x, like):
    return x[..., : like.shape[2], : like.shape[3]]


def test_both_branches_follow_their_definition(net, published):
    with torch.no_grad():
        image = torch.randn(1, 3, 76, 100)
        x1, x2, x3, x4, x5 = net.features(image)
        logit, displacement = net(image)
        assert [x.shape[1] for x in (x1, x2, x3, x4, x5)] == [64, 256, 512, 1024, 2048]
        assert [tuple(x.shape[2:]) for x in (x1, x3, x5)] == [(19, 25), (10, 13), (5, 7)]
        edges = [
            branch(published, f"fc_edge{n}", x, groups=4, upsample=u)
            for n, x, u in zip(range(1, 6), (x1, x2, x3, x4, x5), (1, 1, 2, 4, 4), strict=True)
        ]
        edges = torch.cat([cut(x, edges[0]) for x in edges], 1)
        weight, bias = published["fc_edge6.weight"], published["fc_edge6.bias"]
        torch.testing.assert_close(logit, F.conv2d(edges, weight, bias), rtol=1e-4, atol=1e-4)

        d1 = branch(published, "fc_dp1", x1, groups=8)
        d2 = branch(published, "fc_dp2", x2, groups=16)
        d3 = branch(published, "fc_dp3", x3, groups=16)
        d4 = cut(branch(published, "fc_dp4", x4, groups=16, upsample=2), d3)
        d5 = cut(branch(published, "fc_dp5", x5, groups=16, upsample=2), d3)
        d6 = branch(published, "fc_dp6", torch.cat([d3, d4, d5], 1), groups=16, upsample=2)
        joined = torch.cat([d1, d2, cut(d6, d2)], 1)
        d7 = branch(published, "fc_dp7", joined, groups=16)
        mean = published["mean_shift.running_mean"].view(1, 2, 1, 1)
        expected = F.conv2d(d7, published["fc_dp7.3.weight"]) - mean
        torch.testing.assert_close(displacement, expected, rtol=1e-4, atol=1e-4)


def test_the_stored_mean_is_subtracted_in_eval_mode_only(net):
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        plain = net.train()(image)[1]
        shifted = net.eval()(image)[1]
    mean = net.mean_shift.running_mean.view(1, 2, 1, 1)
    assert mean.abs().min() > 1e-3
    torch.testing.assert_close(plain - shifted, mean.expand_as(plain), rtol=1e-3, atol=1e-4)


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


def test_the_mirror_is_averaged_into_the_boundary_but_not_into_the_displacement(inference, net):
    image = torch.randn(3, 64, 52)
    pair = torch.stack([image, image.flip(-1)])
    with torch.no_grad():
        boundary, displacement = inference(pair)
        logit, both = net(F.pad(pair, (0, 12, 0, 0)))
    logit = logit[..., :13]
    expected = torch.sigmoid(logit[0] / 2 + logit[1].flip(-1) / 2)
    torch.testing.assert_close(boundary, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(displacement, both[0, :, :, :13], rtol=1e-4, atol=1e-4)
