"""The command line: read the flags, run the chosen stages in order, print what came out."""

import sys
import time
from collections.abc import Sequence

from misc import measures, ranks
from misc.config import Config
from misc.flags import read_config, resolved
from misc.log import logger, start_log
from step import STAGES, Stage
from step.look_ahead import check_inputs, dry_run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 on success, 2 after one line that says what was wrong, 130 after an interrupt."""
    try:
        config = read_config(arguments)
        ranks.start(config.device)
        start_log(f"{config.log_name}.log", resolved(config))
        if config.show:
            Stage("show", "show", once=True).run(config)
        elif config.tables:
            Stage("tables", "tables", once=True).run(config)
        else:
            run_stages(config)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _stop(str(error))
    except RuntimeError as error:
        if not ranks.is_lost_rank(error):
            raise
        return _stop(ranks.lost_rank(error))
    except KeyboardInterrupt:
        return _stop("interrupted; give the same command again to go on", status=130)
    ranks.stop()
    return 0


def _stop(reason: str, *, status: int = 2) -> int:
    logger.debug("stopped", exc_info=True)
    print(f"error: {reason}", file=sys.stderr)
    return status


def run_stages(config: Config) -> None:
    """Run the chosen stages and end with one table: stage, seconds, measure, value."""
    chosen = [stage for stage in STAGES if config.asked(stage.flag)]
    look = dry_run if config.dry_run else check_inputs
    ranks.on_first(lambda: look(config, [stage.name for stage in chosen]))
    if config.dry_run:
        return
    rows: list[Sequence[str]] = [("stage", "seconds", "measure", "value", "published")]
    for stage in chosen:
        logger.info("%s ...", stage.name)
        start, offset = time.perf_counter(), measures.end_of(config.metrics_file)
        stage.run(config)
        seconds = time.perf_counter() - start
        found = measures.read_since(config.metrics_file, offset)
        rows += measures.stage_rows(stage.name, f"{seconds:.1f}", found)
        if ranks.is_first():
            measures.record_seconds(f"{config.details_dir}/seconds.jsonl", stage.name, seconds)
    logger.info("\n%s", measures.table(rows))
    if measures.end_of(config.metrics_file):
        Stage("tables", "tables", once=True).run(config)


if __name__ == "__main__":
    sys.exit(main())
