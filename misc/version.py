"""The program's version, as pyproject.toml has it; results say which one made them."""

VERSION = "0.2.0"


def is_compatible(version: str) -> bool:
    """Whether results of a version may be continued: its first two numbers are this one's."""
    return version.split(".")[:2] == VERSION.split(".")[:2]
