"""Everything specific to COCO 2014 and 2017: its categories, folders, annotations and measures."""

from coco.dataset import Dataset, from_config

__all__ = ["Dataset", "from_config"]
