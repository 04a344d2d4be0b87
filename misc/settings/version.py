"""The program's version, as in pyproject.toml; results record it."""

VERSION = "0.3.0"


def is_compatible(version: str) -> bool:
    """Return whether results of a version may be continued: its first two numbers match."""
    return version.split(".")[:2] == VERSION.split(".")[:2]
