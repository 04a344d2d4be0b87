"""A folder of anyone's photographs, with a file of what is in them."""

from folder.dataset import Dataset, from_config

__all__ = ["Dataset", "from_config"]
