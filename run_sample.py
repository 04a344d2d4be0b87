"""The command line: parse the flags, run, report an error in one line."""

import sys
from collections.abc import Sequence

from misc.running.interrupt import kept_interrupts
from misc.running.log import logger
from misc.settings.flags import read_config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 on success, 2 after a one-line error message, 130 after an interrupt."""
    try:
        config = read_config(arguments)
        # torch takes seconds to import; --help and a wrong flag do not need it.
        from misc.running.pipeline import run
        from step import PREDICT, STAGES

        with kept_interrupts():
            run(config, [PREDICT] if config.predict else STAGES)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _stop(str(error))
    except KeyboardInterrupt:
        return _stop("interrupted; run the same command again to resume", status=130)
    return 0


def _stop(reason: str, *, status: int = 2) -> int:
    logger.debug("stopped", exc_info=True)
    print(f"error: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
