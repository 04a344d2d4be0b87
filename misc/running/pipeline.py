"""A run: everything that the flags ask for, from the first stage to the last table."""

import time
from collections.abc import Sequence

from misc.looking import make_tables, show
from misc.machine import ranks
from misc.machine.device import compute_of
from misc.machine.facts import describe_machine, unused_gpu
from misc.measuring import measures, sweep
from misc.running import progress
from misc.running.log import logger, start_log
from misc.running.preflight import check_inputs, dry_run
from misc.running.stage import Stage
from misc.settings.config import Config
from misc.settings.flags import resolved
from misc.settings.settings_file import write_settings
from misc.settings.version import VERSION


def run(config: Config, stages: Sequence[Stage]) -> None:
    """Join the process group, start the log, and run the chosen stages, or --show and the like.

    With --predict the one stage is that of predictions, which has no data set to check.

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
            ranks.on_first(lambda: show.run(config))
        elif config.sweep:
            sweep.run(config)
        elif config.tables:
            ranks.on_first(lambda: make_tables.run(config))
        elif config.predict:
            for stage in stages:
                stage.run(config)
        else:
            run_stages(config, [stage for stage in stages if config.asked(stage.flag)])
    except BaseException as error:
        lost = ConnectionError(ranks.lost_rank(error)) if ranks.is_lost_rank(error) else None
        ranks.stop(lost or error)
        if lost is None:
            raise
        raise lost from error
    ranks.stop()


def run_stages(config: Config, chosen: Sequence[Stage]) -> None:
    """Run the chosen stages and end with one table: stage, seconds, measure, value."""
    look = dry_run if config.dry_run else check_inputs
    ranks.on_first(lambda: look(config, chosen))
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
            stage.run(config)
        seconds = time.perf_counter() - start
        found = measures.read_since(config.metrics_file, offset)
        rows += measures.stage_rows(stage.name, f"{seconds:.1f}", found)
        if ranks.is_first():
            measures.record_seconds(f"{config.details_dir}/seconds.jsonl", stage.name, seconds)
    logger.info("\n%s\non %s", measures.table(rows), describe_machine(compute))
    if measures.end_of(config.metrics_file):
        ranks.on_first(lambda: make_tables.run(config))
