"""The records that lie beside results: how they are written, read and compared."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from misc.files.digests import sampled_digest
from misc.running.log import logger
from misc.settings.version import FORMER, RENAMED, RENAMED_OF, VERSION, is_compatible

# By stage: flag names to values. The first stage is the one that writes, the others are earlier.
Settings = Mapping[str, Mapping[str, Any]]
Record = dict[str, Any]

# Of a folder that is not ours, as version 0.2 recorded it: of all names in it, and their sizes.
_LISTING = re.compile(r"\d+ files, digest [0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class FilesOfImages:
    """A folder that this program did not make, as a setting: the files of images in it.

    Attributes:
        folder: the folder.
        names: returns the names of the files of images in it.
        ids: the images whose files are read.
    """

    folder: Path
    names: Callable[[Sequence[str]], Sequence[str]]
    ids: Sequence[str]

    def described(self, ids: Sequence[str]) -> str:
        """Return the number of these images, with a digest of their files."""
        digest = sampled_digest(self.folder, self.names(ids))
        return f"the files of {len(ids)} images, digest {digest}"


def new_record(settings: Settings, ids: Sequence[str] | None = None) -> Record:
    """Return the record of settings as plain JSON.

    Args:
        settings: all that shapes the results.
        ids: the images whose files count in folders that are not ours; None for those that are
            read.
    """
    stages = {
        stage: {name: _recorded(value, ids) for name, value in values.items()}
        for stage, values in settings.items()
    }
    return {"version": VERSION, "stages": stages}


def read_record(path: Path) -> Record | None:
    """Read a record; None where there is none, or another program's JSON of the same name."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable ({error}); name another place") from error
    if not isinstance(content, dict):
        return None
    if content.keys() & RENAMED and "stages" not in content:
        raise ValueError(
            f"{path}: written by version 0.1 of this program, which did not keep settings by "
            "stage; its results are not continued or replaced: move them away, or name another "
            "place"
        )
    stages = content.get("stages")
    is_ours = (
        isinstance(content.get("version"), str)
        and isinstance(stages, dict)
        and len(stages) > 0
        and all(isinstance(values, dict) for values in stages.values())
        and isinstance(content.get("images", []), list)
        and isinstance(content.get("notes", {}), dict)
    )
    if not is_ours:
        return None
    named = {}
    for stage, values in content["stages"].items():
        new_names = RENAMED | RENAMED_OF.get(stage, {})
        named[stage] = {new_names.get(name, name): value for name, value in values.items()}
    return content | {"stages": named}


def images_of(record: Record) -> list[str]:
    """Return the images that a folder's files are of: ids that contain no path."""
    return [image_id for image_id in record.get("images", []) if _is_plain(image_id)]


def has_listing(record: Record) -> bool:
    """Return whether a record has a folder's digest as version 0.2 made it."""
    return any(
        _is_listing(value) for values in record["stages"].values() for value in values.values()
    )


def difference_of(record: Record, wanted: Settings) -> str:
    """Describe the first setting in which a record differs from those wanted; else empty.

    Of folders that are not ours the files of the record's images are compared, so that more
    images, and other files beside theirs, are no difference.
    """
    if not is_compatible(record["version"]):
        return other_version(record)
    ids = images_of(record) if "images" in record else None
    found, plain = record["stages"], json.loads(json.dumps(new_record(wanted, ids)["stages"]))
    for stage in dict.fromkeys([*plain, *found]):
        ours, theirs = plain.get(stage, {}), found.get(stage, {})
        # A stage that is missing from a record has no settings, of today or before.
        theirs = theirs and {n: v for n, v in FORMER.items() if n in ours} | theirs
        for name in dict.fromkeys([*ours, *theirs]):
            old, new = theirs.get(name, "not set"), ours.get(name, "not set")
            # Such a digest cannot be compared any more.
            if old != new and not (name in ours and _is_listing(old)):
                if name == "data_root":
                    read = f"the images or labels of --{name}, which {stage} read,"
                    return f"{read} were {old}, now they are {new}"
                return f"--{name} of {stage} was {old}, now it is {new}"
    if record["version"] != VERSION:
        logger.info("continuing results of version %s of this program", record["version"])
    return ""


def other_version(record: Record) -> str:
    """Say which version a record is of, and which this is."""
    return f"it was made by version {record['version']} of this program, this is {VERSION}"


def _recorded(value: Any, ids: Sequence[str] | None) -> Any:
    if not isinstance(value, FilesOfImages):
        return value
    return value.described(value.ids if ids is None else ids)


def _is_listing(value: Any) -> bool:
    return isinstance(value, str) and _LISTING.fullmatch(value) is not None


def _is_plain(image_id: Any) -> bool:
    """Return whether an id, read from a file, contains no path."""
    return isinstance(image_id, str) and image_id != "" and not set("/\\\0") & set(image_id)
