"""Everything specific to Cityscapes: its classes, folders, labels and measures."""

from cityscapes.dataset import Dataset

__all__ = ["Dataset"]
