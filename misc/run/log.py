"""What a run says: the log, to the terminal and to a file, and progress bars."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from misc.files.atomic import write_json
from misc.settings.config import Config
from misc.settings.validate import INSTEAD
from misc.settings.version import VERSION

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger("irnet")
_handlers: list[logging.Handler] = []
_stage = ""  # its number and their count, before the descriptions of its bars
_has_bars = True


def start_log(path: str | os.PathLike[str], settings: Mapping[str, Any], *, rank: int = 0) -> None:
    """Log to the terminal and append to `path`, with the settings at the head.

    Warnings of other modules are logged, too. Of several ranks only the first uses the terminal.
    """
    global _has_bars
    from tqdm import tqdm

    _has_bars = not rank
    # One process has bars: tqdm's own lock is of many, and told as leaked where a signal ends it.
    tqdm.set_lock(threading.RLock())
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if rank:
        path = path.with_suffix(f".rank{rank}{path.suffix}")
    # Where the log itself cannot be written, the error that stops the run is shown instead.
    logging.raiseExceptions = False
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    terminal = _BesideProgressBars(logging.INFO)
    root = logging.getLogger()
    for old in _handlers:
        root.removeHandler(old)
        old.close()
    _handlers[:] = [file] if rank else [file, terminal]
    for handler in _handlers:
        root.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    warnings.showwarning = _show_warning
    logger.debug("settings: %s", " ".join(f"--{name} {value}" for name, value in settings.items()))


def begin_stage(number: int, count: int) -> None:
    """Let the progress bars to come say in which stage they are: number, from 1, of count."""
    global _stage
    _stage = f"{number}/{count} "


def progress_bar(*, total: int, initial: int, description: str, unit: str) -> "tqdm[None]":
    """Return a progress bar, shown by the first rank alone."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        initial=initial,
        desc=_stage + description,
        unit=unit,
        disable=not _has_bars,
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Format rows, the first of them the header, as an aligned Markdown table."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def write_settings(config: Config) -> str:
    """Write a run's settings beside its log, for --settings to repeat it; return the path.

    --show, --tables and so on have a file of their own, so that those of the run are not replaced.
    """
    kind = next((f".{name}" for name in (*INSTEAD, "dry_run") if getattr(config, name)), "")
    values = {name: value for name, value in vars(config).items() if name != "settings"}
    content = {"version": VERSION, "settings": values}
    path = f"{config.log_name}{kind}.settings.json"
    write_json(path, content)
    return path


class _BesideProgressBars(logging.Handler):
    """Writes to the terminal; a warning only once, though every stage reads the lists again."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._warned: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        words = self.format(record)
        if record.levelno >= logging.WARNING:
            if words in self._warned:
                return
            self._warned.add(words)
            words = f"{record.levelname.lower()}: {words}"
        tqdm.write(words, file=sys.stdout)
        sys.stdout.flush()


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    logger.warning("%s", message)
