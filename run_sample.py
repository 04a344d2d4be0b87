"""The command line: flags, the data set, preflight, the chosen stages, one table."""

import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

# Older versions would stop with a traceback.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.stderr.write(f"error: Python {sys.version.split()[0]}: this program needs 3.11 or newer\n")
    sys.exit(2)

from misc.files.locks import release_all, share
from misc.machine.signals import AGAIN, end_on_signals
from misc.run.log import begin_stage, logger, start_log, table, write_settings
from misc.settings.cores import let_threads_sleep
from misc.settings.help import program

if TYPE_CHECKING:
    from misc.files.dataset import Dataset
    from misc.settings.config import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 on success, 2 after a one-line error message, 130 after an interrupt.

    It never ends the interpreter. An error that is not the user's is raised.
    """
    try:
        from misc.settings.flags import read_config

        config = read_config(arguments)
        run(config)
        if config.dry_run:
            logger.info("to run it: %s", _without_dry_run(arguments or sys.argv[1:]))
    except ImportError as error:
        return _stop(f"{error}{_remedy(error)}")
    except (ValueError, OSError) as error:
        return _stop(str(error))
    except SystemExit as ended:  # by argparse, after --help or an error, or by a module of a flag
        if isinstance(ended.code, str):
            return _stop(ended.code, status=1)
        return int(ended.code or 0)
    except KeyboardInterrupt:
        return _stop(f"interrupted; {AGAIN}", status=130)
    return 0


def run(config: "Config") -> None:
    """Join the process group, start the log, and run the chosen stages, or --show and the like.

    The settings are written beside the log, for --settings to repeat the run.

    Raises:
        ValueError, OSError, ImportError: in one line, what is wrong and what to do.
    """
    let_threads_sleep()
    # torch takes seconds to import; --help and a wrong flag do not need it.
    from misc.machine import ranks
    from misc.machine.device import use_own_cores
    from misc.settings.validate import INSTEAD
    from misc.settings.version import VERSION

    with ranks.telling_of_lost_ranks():
        ranks.start(config.device)
        use_own_cores()
        start_log(f"{config.log_name}.log", vars(config), rank=ranks.rank())
        logger.debug("version %s", VERSION)
        here = os.getcwd()
        if here not in sys.path:
            sys.path.append(here)  # it may have the modules that flags name
        if any(vars(config)[name] for name in (*INSTEAD, "dry_run")):
            ranks.on_first(lambda: write_settings(config))
        try:
            _run(config)
            ranks.wait()
        finally:
            release_all()


def _run(config: "Config") -> None:
    from misc.machine import ranks
    from misc.run.open_dataset import open_dataset

    # What draws imports matplotlib, which takes a second: only where it is asked for.
    if config.tables:
        from misc.view.tables import write_tables

        ranks.on_first(lambda: write_tables(config.metrics_file, config.tables_file))
        return
    if config.compare:
        from misc.view.compare import write_comparison

        write = partial(
            write_comparison,
            config.compare,
            config.compare_file,
            dataset=config.dataset,
            most_images=config.report_images,
            num_workers=config.num_workers,
        )
        ranks.on_first(write)
        return
    if config.predict:
        from step import predict

        predict.run(config)
        return
    if config.export:
        from step import export

        ranks.on_first(lambda: export.run(config))
        return
    # Opened once, by one rank: opening may draw the data.
    dataset = ranks.on_first(lambda: open_dataset(config))
    if config.show:
        from misc.view import show

        ranks.on_first(lambda: show.run(config, dataset))
    elif config.sweep:
        from misc.view import sweep_page

        sweep_page.run(config, dataset)
    else:
        run_stages(config, dataset)


def run_stages(config: "Config", dataset: "Dataset") -> None:
    """Check what the chosen stages read, run them, and end with one table of their measures."""
    from misc.evaluate import measures
    from misc.machine import ranks
    from misc.machine.device import compute_of, describe_machine, unused_gpu
    from misc.run.preflight import check_inputs, dry_run
    from misc.run.stage import chosen_stages
    from misc.view.tables import measure_rows, write_tables

    stages = chosen_stages(config, dataset)
    if config.dry_run:
        ranks.on_first(lambda: dry_run(stages))
        return
    locked = ranks.on_first(lambda: check_inputs(stages))
    # Not before the locks are this run's: the file may be that of another run, which works.
    ranks.on_first(lambda: write_settings(config))
    compute = compute_of(config)
    logger.info("on %s", describe_machine(compute))
    logger.info("%d stage%s", len(stages), "s" * (len(stages) != 1))
    reason = unused_gpu(compute.device) if config.device == "auto" else None
    if reason:
        logger.warning("--device auto chose the CPU, though this machine has a GPU: %s", reason)
    offset, seconds = measures.end_of(config.metrics_file), dict[str, float]()
    for number, stage in enumerate((each.row for each in stages), 1):
        logger.info("%s ...", stage.name)
        start = time.perf_counter()
        begin_stage(number, len(stages))
        stage.run(config, dataset)
        taken = seconds[stage.name] = time.perf_counter() - start
        if ranks.is_first():
            measures.record_seconds(f"{config.details_dir}/seconds.jsonl", stage.name, taken)
            # Other runs may read what is finished.
            for place in locked[stage.name]:
                share(place)
    rows = measure_rows(measures.read_since(config.metrics_file, offset), seconds, seconds)
    logger.info("\n%s\non %s", table(rows), describe_machine(compute))
    if ranks.on_first(lambda: measures.end_of(config.metrics_file)):
        ranks.on_first(lambda: write_tables(config.metrics_file, config.tables_file))


def _without_dry_run(arguments: Sequence[str]) -> str:
    """Return the command line without --dry_run and its value."""
    flag = re.compile(r"--dry_run(=.*)?")
    words = [
        word
        for before, word in zip(["", *arguments], arguments, strict=False)
        if not flag.fullmatch(word) and (before != "--dry_run" or word.startswith("--"))
    ]
    return f"{program()} {shlex.join(words)}"


def _remedy(error: ImportError) -> str:
    if "libGL" in str(error):
        return "; without it, install opencv-python-headless in place of opencv-python"
    # Python's own message alone has a name; ours say what to do.
    return "; install what is needed: pip install -r requirements.txt" if error.name else ""


def _stop(reason: str, *, status: int = 2) -> int:
    logger.debug("stopped", exc_info=True)
    print(f"error: {reason}", file=sys.stderr)
    return status


def command() -> None:
    """Run as a program: `python run_sample.py`, or `irnet` where it is installed."""
    # Without a terminal or a file, for example in a service, a stream is None.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    end_on_signals()
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if "RANK" in os.environ:
        # The threads of a process group may hold up the interpreter's own end.
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    command()
