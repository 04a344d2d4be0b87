"""The networks of net/ on a small residual backbone, which learns in a minute on two cores."""

from unittest import mock

from torchvision.models.resnet import Bottleneck, ResNet

from net import resnet50_cam, resnet50_irn


def backbone():
    """One narrow block a layer, with the channels and strides of the ResNet-50 of net/."""
    model = ResNet(Bottleneck, [1, 1, 1, 1], width_per_group=16, zero_init_residual=False)
    first = model.layer4[0]
    first.conv2.stride = first.downsample[0].stride = (1, 1)
    del model.fc, model.avgpool
    return model


class Net(resnet50_cam.Net):
    def __init__(self, *arguments, **options):
        with mock.patch("net.resnet50_cam.resnet50", backbone):
            super().__init__(*arguments, **options)


class CAM(Net, resnet50_cam.CAM):
    pass


class _Relations:
    def __init__(self, *arguments, **options):
        with mock.patch("net.resnet50_irn.resnet50", backbone):
            super().__init__(*arguments, **options)


class AffinityDisplacementLoss(_Relations, resnet50_irn.AffinityDisplacementLoss):
    pass


class EdgeDisplacement(_Relations, resnet50_irn.EdgeDisplacement):
    pass
