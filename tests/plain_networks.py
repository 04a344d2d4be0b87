"""Networks that share nothing with those of net/: three convolutions, of other channels.

What a module named by --cam_network and --irn_network needs, and no more.
"""

import torch
import torch.nn.functional as F
from torch import nn

from misc.affinity import affinity_displacement_losses
from misc.files.weights import load_weights
from misc.machine import ranks


def convolution(channels, out_channels, stride):
    return nn.Sequential(nn.Conv2d(channels, out_channels, 3, stride, padding=1), nn.ReLU())


class Loadable(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [convolution(3, 8, 4), convolution(8, 12, 2), convolution(12, 20, 2)]
        self.resnet50 = nn.Sequential(*layers)

    def load_published(self, state, *, source):
        load_weights(self, state, source=source)


class Net(Loadable):
    def __init__(self, num_classes, *, train_whole, backbone):
        super().__init__()
        self.score = nn.Conv2d(20, num_classes, 1)

    def forward(self, image):
        return self.score(self.resnet50(image)).mean(dim=(2, 3))

    def trainable_parameters(self):
        return list(self.resnet50.parameters()), list(self.score.parameters())


class CAM(Net):
    def __init__(self, num_classes, *, backbone):
        super().__init__(num_classes, train_whole=False, backbone=backbone)

    def forward(self, pair):
        maps = self.score(self.resnet50(pair)).relu()
        return maps[0] + maps[1].flip(-1)


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(2))


class Fields(Loadable):
    def __init__(self):
        super().__init__()
        self.edge, self.offset = nn.Conv2d(8 + 20, 1, 1), nn.Conv2d(8, 2, 1)
        self.mean_shift = Mean()

    def features(self, image):
        near = self.resnet50[0](image)
        far = F.interpolate(self.resnet50[1:](near), near.shape[2:])
        return [near, far]

    def displacement(self, features):
        found = self.offset(features[0])
        return found if self.training else found - self.mean_shift.running_mean.view(1, 2, 1, 1)

    def fields(self, image):
        features = self.features(image)
        return self.edge(torch.cat(features, dim=1)), self.displacement(features)


class AffinityDisplacementLoss(Fields):
    def __init__(self, path_index, *, backbone):
        super().__init__()
        self.radius = path_index.radius

    def forward(self, image, label):
        return affinity_displacement_losses(
            *self.fields(image), label, radius=self.radius, reduce_counts=ranks.mean_count
        )

    def trainable_parameters(self):
        return list(self.edge.parameters()), list(self.offset.parameters())


class EdgeDisplacement(Fields):
    def __init__(self, *, crop_size, backbone):
        super().__init__()

    def forward(self, pair):
        logit, displacement = self.fields(pair)
        return torch.sigmoid(logit[0] / 2 + logit[1].flip(-1) / 2), displacement[0]
