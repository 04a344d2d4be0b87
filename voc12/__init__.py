"""Everything specific to PASCAL VOC 2012: its classes, folders, lists and labels.

A second data set would be a folder beside this one with the same interface: `CLASS_NAMES` and a
`Dataset` with split, image, image_labels, with_labels, with_truth, semantic_label and
instance_label.
"""

from voc12.dataset import Dataset
from voc12.demo import make_demo
from voc12.identity import identify, is_published_split
from voc12.names import CLASS_NAMES
from voc12.published import PUBLISHED

__all__ = [
    "CLASS_NAMES",
    "PUBLISHED",
    "Dataset",
    "identify",
    "is_published_split",
    "make_demo",
]
