"""What shaped a folder or a weights file, so that results of different settings never mix.

Beside the outputs of each stage lies a JSON of the settings that shaped them, those of the stages
before it included. A run with other settings is refused, and told which flag differs.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from misc import ranks
from misc.files import is_temporary, remove_abandoned, write_json

Settings = Mapping[str, Any]


def claim_folder(
    folder: str | os.PathLike[str], settings: Settings, *, overwrite: bool = False
) -> None:
    """Make an output folder for these settings, or continue one that has the same.

    Args:
        folder: the output folder.
        settings: flag names to values: all that shapes the outputs.
        overwrite: delete what was made with other settings.

    Raises:
        ValueError: the folder holds outputs of other settings, or of unknown ones.
    """
    ranks.on_first(lambda: _claim_folder(Path(folder), settings, overwrite))


def _claim_folder(folder: Path, settings: Settings, overwrite: bool) -> None:
    found = read_settings(folder)
    difference = _difference(found, settings)
    has_content = folder.is_dir() and not all(map(is_temporary, folder.iterdir()))
    if has_content and difference is not None:
        if not overwrite:
            raise ValueError(_refusal(folder, difference))
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder)
    if difference is not None:
        write_json(_settings_path(folder), dict(settings))


def claim_weights(
    path: str | os.PathLike[str], settings: Settings, *, overwrite: bool = False
) -> bool:
    """Claim a weights file, and the checkpoint beside it, for these settings.

    Returns:
        whether the weights are finished: there, and made with these settings.

    Raises:
        ValueError: weights or checkpoint were made with other settings or unknown ones.
    """
    return ranks.on_first(lambda: _claim_weights(Path(path), settings, overwrite))


def _claim_weights(path: Path, settings: Settings, overwrite: bool) -> bool:
    checkpoint = path.with_suffix(".checkpoint")
    parts = [part for part in (path, checkpoint) if part.exists()]
    difference = _difference(read_settings(path), settings)
    remove_abandoned(path.parent)
    if difference is None:
        if path.exists():
            checkpoint.unlink(missing_ok=True)  # a run was killed after its last file
        return path.exists()
    if parts and not overwrite:
        raise ValueError(_refusal(parts[0], difference))
    for part in parts:
        part.unlink()
    # Written before the training, so that a checkpoint always has its settings beside it.
    write_json(_settings_path(path), dict(settings))
    return False


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read what shaped a folder or file; None where nothing is written down."""
    try:
        content = json.loads(_settings_path(Path(path)).read_text())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{_settings_path(Path(path))}: not readable ({error})") from error
    return content if isinstance(content, dict) else None


def fingerprint(path: str | os.PathLike[str]) -> str:
    """Give the first 16 digits of a file's SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _settings_path(path: Path) -> Path:
    # A weights file keeps its settings beside it, a folder inside.
    return path.with_name(f"{path.name}.json") if path.suffix else path / "settings.json"


def _difference(found: Settings | None, wanted: Settings) -> tuple[str, Any, Any] | None:
    """Give the first setting that differs with both its values, or None."""
    plain = json.loads(json.dumps(dict(wanted)))
    if found is None:
        return ("settings", "not written down", "this run's")
    for name in [*plain, *found]:
        if plain.get(name) != found.get(name):
            return (name, found.get(name), plain.get(name))
    return None


def _refusal(path: Path, difference: tuple[str, Any, Any]) -> str:
    name, found, wanted = difference
    what = f"--{name} was {found}, now it is {wanted}"
    if name == "settings":
        what = "it was not made by this program with settings that it wrote down"
    return (
        f"{path}: made with other settings: {what}; pass --overwrite True to replace it, "
        "switch its stage off to use it as it is, or name another place"
    )
