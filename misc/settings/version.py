"""The program's version, as in pyproject.toml; results record it."""

VERSION = "0.2.0"
# New names of settings, by those that earlier results have.
RENAMED = {"voc12_root": "data_root"}


def is_compatible(version: str) -> bool:
    """Return whether results of a version may be continued: its first two numbers match."""
    return version.split(".")[:2] == VERSION.split(".")[:2]
