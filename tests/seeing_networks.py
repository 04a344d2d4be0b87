"""The tiny classification network, made to see something of every class in every image.

Whole runs then have labels to learn from whatever the processor's rounding.
"""

from tests import tiny_networks


class Net(tiny_networks.Net):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.classifier.weight.data.abs_()


class CAM(Net, tiny_networks.CAM):
    pass
