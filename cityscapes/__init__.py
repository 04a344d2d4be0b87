"""Everything specific to Cityscapes: its classes, folders, labels, measures and server's format."""

from cityscapes.dataset import Dataset, from_config

__all__ = ["Dataset", "from_config"]
