"""A run: what the flags ask for, from the first stage to the last table."""

import time
from collections.abc import Sequence

from misc import measures, ranks
from misc.config import Config
from misc.flags import resolved
from misc.log import logger, start_log
from misc.machine import describe_machine, unused_gpu
from misc.settings_file import write_settings
from misc.version import VERSION
from step import STAGES, Stage
from step.common import compute_of
from step.look_ahead import check_inputs, dry_run


def run(config: Config) -> None:
    """Meet the other ranks, start the log, and run the chosen stages, or --show, or --tables.

    The settings are written beside the log, for --settings to repeat the run.

    Raises:
        ValueError, OSError, ModuleNotFoundError: in one line, what is wrong and what to do.
    """
    ranks.start(config.device)
    start_log(f"{config.log_name}.log", resolved(config), rank=ranks.rank())
    logger.debug("version %s", VERSION)
    try:
        ranks.on_first(lambda: write_settings(config))
        if config.show:
            Stage("show", "show", once=True).run(config)
        elif config.tables:
            Stage("tables", "tables", once=True).run(config)
        else:
            run_stages(config)
    except BaseException as error:
        lost = ConnectionError(ranks.lost_rank(error)) if ranks.is_lost_rank(error) else None
        ranks.stop(lost or error)
        if lost is None:
            raise
        raise lost from error
    ranks.stop()


def run_stages(config: Config) -> None:
    """Run the chosen stages and end with one table: stage, seconds, measure, value."""
    chosen = [stage for stage in STAGES if config.asked(stage.flag)]
    look = dry_run if config.dry_run else check_inputs
    ranks.on_first(lambda: look(config, [stage.name for stage in chosen]))
    if config.dry_run:
        return
    compute = compute_of(config)
    logger.info("on %s", describe_machine(compute))
    if config.device == "auto" and (reason := unused_gpu(compute.device)):
        logger.warning("--device auto took the CPU, though this machine has a GPU: %s", reason)
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
    logger.info("\n%s\non %s", measures.table(rows), describe_machine(compute))
    if measures.end_of(config.metrics_file):
        Stage("tables", "tables", once=True).run(config)
