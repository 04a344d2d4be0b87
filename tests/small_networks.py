"""The networks of net/ on a small residual backbone, which learns in a minute on two cores."""

from torchvision.models.resnet import Bottleneck, ResNet

from tests.tiny_networks import networks_on


def backbone(_name):
    """One narrow block a layer, with the channels and strides of the ResNet-50 of net/."""
    model = ResNet(Bottleneck, [1, 1, 1, 1], width_per_group=16, zero_init_residual=False)
    first = model.layer4[0]
    first.conv2.stride = first.downsample[0].stride = (1, 1)
    del model.fc, model.avgpool
    return model


Net, CAM, AffinityDisplacementLoss, EdgeDisplacement = networks_on(backbone)
