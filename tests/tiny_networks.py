"""The networks of net/ on a backbone of a few thousand weights, for tests of whole runs."""

from unittest import mock

from torch import nn

from net import resnet50_cam, resnet50_irn


def _layer(channels, out_channels, stride):
    convolution = nn.Conv2d(
        channels, out_channels, 1, stride=stride, groups=channels // 2, bias=False
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU())


def backbone():
    model = nn.Module()
    model.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
    model.bn1, model.relu, model.maxpool = nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    model.layer1, model.layer2 = _layer(64, 256, 1), _layer(256, 512, 2)
    model.layer3, model.layer4 = _layer(512, 1024, 2), _layer(1024, 2048, 1)
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
