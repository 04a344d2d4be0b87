"""The JSON of a run's settings, which `--settings` repeats; misc.run.log writes it."""

import json
import os
from pathlib import Path
from typing import Any

from misc.settings.config import SETTINGS


def read_settings_file(path: str | os.PathLike[str], *, flag: str = "settings") -> dict[str, Any]:
    """Read the settings of a run, which a flag names, as values of `Config`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not the settings of a run, or holds one that is unknown or of
            the wrong type.
    """
    source = f"--{flag} {path}"
    if not Path(path).is_file():
        raise FileNotFoundError(f"{source}: no such file; a run writes it beside its log")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source}: not readable as JSON ({error})") from error
    values = content.get("settings") if isinstance(content, dict) else None
    if not isinstance(values, dict):
        raise ValueError(
            f"{source}: not the settings of a run; each writes its own to its --log_name, with "
            ".settings.json appended"
        )
    unknown = sorted(set(values) - (SETTINGS.keys() - {"settings"}))
    if unknown:
        raise ValueError(f"{source}: there is no setting {unknown[0]}")
    try:
        return {name: SETTINGS[name].from_json(value) for name, value in values.items()}
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
