"""The program's version and its folders, as in pyproject.toml; results record both."""

VERSION = "0.3.0"
# Where the program is installed, folders of others lie beside them.
PACKAGES = ("step", "net", "misc", "voc12", "coco", "cityscapes", "folder", "demo")


def is_compatible(version: str) -> bool:
    """Return whether results of a version may be continued: its first two numbers match."""
    return version.split(".")[:2] == VERSION.split(".")[:2]
