"""Everything specific to PASCAL VOC 2012: its classes, folders, lists, labels and server."""

from voc12.dataset import Dataset, from_config

__all__ = ["Dataset", "from_config"]
