"""The command line: read the flags, run the chosen stages in order, print what came out."""

import sys
import time
from collections.abc import Sequence

from misc import measures
from misc.config import Config
from misc.flags import read_config, resolved
from misc.log import logger, start_log
from step import STAGES, Stage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 on success, 2 after one line that says what was wrong."""
    try:
        config = read_config(arguments)
        start_log(f"{config.log_name}.log", resolved(config))
        if config.show:
            Stage("show", "show").run(config)
        elif config.tables:
            Stage("tables", "tables").run(config)
        else:
            run_stages(config)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        logger.debug("stopped", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run_stages(config: Config) -> None:
    """Run the chosen stages and end with one table: stage, seconds, measure, value."""
    rows: list[Sequence[str]] = [("stage", "seconds", "measure", "value", "published")]
    for stage in STAGES:
        if not config.asked(stage.flag):
            continue
        logger.info("%s ...", stage.name)
        start, offset = time.perf_counter(), measures.end_of(config.metrics_file)
        stage.run(config)
        seconds = time.perf_counter() - start
        found = measures.read_since(config.metrics_file, offset)
        rows += measures.stage_rows(stage.name, f"{seconds:.1f}", found)
        measures.record_seconds(f"{config.details_dir}/seconds.jsonl", stage.name, seconds)
    logger.info("\n%s", measures.table(rows))
    if measures.end_of(config.metrics_file):
        Stage("tables", "tables").run(config)


if __name__ == "__main__":
    sys.exit(main())
