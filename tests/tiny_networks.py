"""The networks of net/ on a backbone of a few thousand weights, for tests of whole runs."""

import contextlib
from unittest import mock

from torch import nn

from net import resnet50_cam, resnet50_irn


def backbone(_name="", *, output_stride=16, norm_layer=nn.BatchNorm2d, **_):
    def layer(channels, out_channels, stride):
        convolution = nn.Conv2d(
            channels, out_channels, 1, stride=stride, groups=channels // 2, bias=False
        )
        return nn.Sequential(convolution, norm_layer(out_channels), nn.ReLU())

    model = nn.Module()
    model.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
    model.bn1, model.relu, model.maxpool = norm_layer(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    model.layer1, model.layer2 = layer(64, 256, 1), layer(256, 512, 2)
    last = 2 if output_stride == 32 else 1
    model.layer3, model.layer4 = layer(512, 1024, 2), layer(1024, 2048, last)
    return model


def networks_on(build):
    """Return Net, CAM, AffinityDisplacementLoss and EdgeDisplacement on another backbone."""

    class Net(resnet50_cam.Net):
        def __init__(self, *arguments, **options):
            with mock.patch("net.resnet50_cam.build_backbone", build):
                super().__init__(*arguments, **options)

    class CAM(Net, resnet50_cam.CAM):
        pass

    class Relations:
        def __init__(self, *arguments, **options):
            with mock.patch("net.resnet50_irn.build_backbone", build):
                super().__init__(*arguments, **options)

    class AffinityDisplacementLoss(Relations, resnet50_irn.AffinityDisplacementLoss):
        pass

    class EdgeDisplacement(Relations, resnet50_irn.EdgeDisplacement):
        pass

    return Net, CAM, AffinityDisplacementLoss, EdgeDisplacement


Net, CAM, AffinityDisplacementLoss, EdgeDisplacement = networks_on(backbone)


@contextlib.contextmanager
def tiny_detector_and_deeplab():
    """Build Mask R-CNN, DeepLab and AMN, which no flag names, on the small backbone as well."""
    with (
        mock.patch("net.mask_rcnn.build_backbone", backbone),
        mock.patch("net.amn.build_backbone", backbone),
        mock.patch("net.deeplab.build_backbone", backbone),
    ):
        yield
