"""The log: to the terminal and to a file, with the resolved settings at its head."""

import logging
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger("irnet")


def start_log(path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
    """Send the log to the terminal and append it to `path`; write the settings at its head."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    terminal = _BesideProgressBars()
    terminal.setFormatter(logging.Formatter("%(message)s"))
    terminal.setLevel(logging.INFO)
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    for handler in (file, terminal):
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    warnings.showwarning = _show_warning
    logger.debug("settings: %s", " ".join(f"--{name} {value}" for name, value in settings.items()))


class _BesideProgressBars(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    logger.warning("warning: %s", message)
