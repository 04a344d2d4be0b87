"""The command line: read the flags, run what they ask for, say in one line what went wrong."""

import sys
from collections.abc import Sequence

from misc.flags import read_config
from misc.interrupt import kept_interrupts
from misc.log import logger


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 on success, 2 after one line that says what was wrong, 130 after an interrupt."""
    try:
        config = read_config(arguments)
        # torch takes seconds to import; --help and a mistaken flag are answered without it.
        from step.pipeline import run

        with kept_interrupts():
            run(config)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _stop(str(error))
    except KeyboardInterrupt:
        return _stop("interrupted; give the same command again to go on", status=130)
    return 0


def _stop(reason: str, *, status: int = 2) -> int:
    logger.debug("stopped", exc_info=True)
    print(f"error: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
