"""Everything specific to COCO 2014 and 2017: its categories, folders, annotations and measures."""

from coco.categories import CLASS_NAMES
from coco.dataset import Dataset, from_config

__all__ = ["CLASS_NAMES", "Dataset", "from_config"]
