"""The command line: flags, the data set, preflight, the chosen stages, one table."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from misc.running.interrupt import kept_interrupts
from misc.running.log import logger, start_log
from misc.settings.config import Config
from misc.settings.flags import read_config, resolved
from misc.settings.settings_file import write_settings
from misc.settings.version import VERSION

if TYPE_CHECKING:
    from misc.running.dataset import Dataset


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 on success, 2 after a one-line error message, 130 after an interrupt."""
    try:
        config = read_config(arguments)
        with kept_interrupts():
            run(config)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _stop(str(error))
    except KeyboardInterrupt:
        return _stop("interrupted; run the same command again to resume", status=130)
    return 0


def run(config: Config) -> None:
    """Join the process group, start the log, and run the chosen stages, or --show and the like.

    The settings are written beside the log, for --settings to repeat the run.

    Raises:
        ValueError, OSError, ModuleNotFoundError: in one line, what is wrong and what to do.
    """
    # torch takes seconds to import; --help and a wrong flag do not need it.
    from misc.machine import ranks

    ranks.start(config.device)
    start_log(f"{config.log_name}.log", resolved(config), rank=ranks.rank())
    logger.debug("version %s", VERSION)
    try:
        ranks.on_first(lambda: write_settings(config))
        _run(config)
    except BaseException as error:
        lost = ConnectionError(ranks.lost_rank(error)) if ranks.is_lost_rank(error) else None
        ranks.stop(lost or error)
        if lost is None:
            raise
        raise lost from error
    ranks.stop()


def _run(config: Config) -> None:
    from misc.looking import make_tables, show
    from misc.machine import ranks
    from misc.measuring import sweep
    from misc.running.open_dataset import open_dataset
    from step import predict

    if config.tables:
        ranks.on_first(lambda: make_tables.run(config))
        return
    if config.predict:
        predict.run(config)
        return
    # Opened once, by one rank: opening may draw the data.
    dataset = ranks.on_first(lambda: open_dataset(config))
    if config.show:
        ranks.on_first(lambda: show.run(config, dataset))
    elif config.sweep:
        sweep.run(config, dataset)
    else:
        run_stages(config, dataset)


def run_stages(config: Config, dataset: "Dataset") -> None:
    """Check what the chosen stages read, run them, and end with one table of their measures."""
    from misc.looking import make_tables
    from misc.machine import ranks
    from misc.machine.device import compute_of
    from misc.machine.facts import describe_machine, unused_gpu
    from misc.measuring import measures
    from misc.running import progress
    from misc.running.preflight import check_inputs, dry_run
    from step import STAGES

    chosen = [stage for stage in STAGES if config.runs_stage(stage.flag)]
    look = dry_run if config.dry_run else check_inputs
    ranks.on_first(lambda: look(config, dataset, chosen))
    if config.dry_run:
        return
    compute = compute_of(config)
    logger.info("on %s", describe_machine(compute))
    logger.info("%s", progress.outlook(config, chosen, compute))
    if config.device == "auto" and (reason := unused_gpu(compute.device)):
        logger.warning("--device auto chose the CPU, though this machine has a GPU: %s", reason)
    rows: list[Sequence[str]] = [("stage", "seconds", "measure", "value", "published")]
    for number, stage in enumerate(chosen, 1):
        logger.info("%s ...", stage.name)
        start, offset = time.perf_counter(), measures.end_of(config.metrics_file)
        with progress.stage(number, len(chosen)):
            stage.run(config, dataset)
        seconds = time.perf_counter() - start
        found = measures.read_since(config.metrics_file, offset)
        rows += measures.stage_rows(stage.name, f"{seconds:.1f}", found)
        if ranks.is_first():
            measures.record_seconds(f"{config.details_dir}/seconds.jsonl", stage.name, seconds)
    logger.info("\n%s\non %s", measures.table(rows), describe_machine(compute))
    if measures.end_of(config.metrics_file):
        ranks.on_first(lambda: make_tables.run(config))


def _stop(reason: str, *, status: int = 2) -> int:
    logger.debug("stopped", exc_info=True)
    print(f"error: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
