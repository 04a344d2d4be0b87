"""Write the tables of all measures from the metrics file alone: `--tables True`."""

from pathlib import Path

from misc.files.atomic import write_bytes
from misc.looking.tables import make_tables
from misc.measuring.measures import read_since
from misc.running.log import logger
from misc.settings.config import Config


def run(config: Config) -> None:
    """Write --tables_file and print it.

    Raises:
        FileNotFoundError: there are no measures yet.
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
