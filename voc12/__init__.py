"""Everything specific to PASCAL VOC 2012: its classes, folders, lists, labels and server."""

from voc12.dataset import Dataset, from_config
from voc12.names import CLASS_NAMES

__all__ = ["CLASS_NAMES", "Dataset", "from_config"]
