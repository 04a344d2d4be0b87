"""The demo: data drawn by formula, laid out like VOC and read as VOC is."""

from demo.making import make_demo, read_marker
from demo.reading import from_config

__all__ = ["from_config", "make_demo", "read_marker"]
