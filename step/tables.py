"""Make the tables of all measures from the metrics file alone: `--tables True`."""

from pathlib import Path

from misc.config import Config
from misc.files import write_bytes
from misc.log import logger
from misc.measures import read_since
from misc.tables import make_tables


def run(config: Config) -> None:
    """Write --tables_file and print it.

    Raises:
        FileNotFoundError: nothing was measured yet.
    """
    lines = read_since(config.metrics_file, 0)
    if not lines:
        raise FileNotFoundError(
            f"--metrics_file {config.metrics_file}: no measures; the eval stages write them: "
            "--eval_cam_pass True and so on"
        )
    text = make_tables(lines)
    write_bytes(Path(config.tables_file), text.encode())
    logger.info("%s\n%s", config.tables_file, text)
