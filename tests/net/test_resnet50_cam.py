import pytest
import torch
from published import file_names, state_dict

from net.resnet50_cam import CAM, Net


@pytest.fixture(scope="module")
def published():
    return state_dict("cam")


@pytest.fixture(scope="module")
def network(published):
    model = Net(20)
    model.load_published(published, source="published")
    return model


@pytest.mark.parametrize("form", [Net, CAM])
def test_every_name_of_the_published_file_is_known(form, published):
    assert len(published) == len(file_names("cam")) == 956
    model = form(20)
    model.load_published(published, source="published")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, published[name])


def test_only_layer3_layer4_and_the_classifier_learn(network):
    network.train()
    network.zero_grad()
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    learnt = {name.split(".")[1] for name, p in network.named_parameters() if p.grad is not None}
    assert learnt == {"layer3", "layer4", "weight"}


def test_batch_norm_uses_its_running_statistics_in_training(network):
    before = network.resnet50.layer3[0].bn1.running_mean.clone()
    image = torch.randn(2, 3, 64, 64)
    network.train()
    with torch.no_grad():
        together, alone = network(image)[:1], network(image[:1])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(network.resnet50.layer3[0].bn1.running_mean, before)


def test_from_scratch_every_layer_learns_with_live_batch_norm():
    model = Net(4, train_whole=True).train()
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert model.resnet50.bn1.running_mean.any()
