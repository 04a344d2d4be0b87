"""Everything specific to PASCAL VOC 2012: its classes, folders, lists, labels and server."""

from voc12.annotations import CLASS_NAMES
from voc12.dataset import Dataset, from_config

__all__ = ["CLASS_NAMES", "Dataset", "from_config"]
