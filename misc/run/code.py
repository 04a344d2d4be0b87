"""The code behind a result: digests of the program's own files, and of modules that flags name."""

import ast
import contextlib
import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from misc.run.log import logger
from misc.settings.version import PACKAGES

ROOT = Path(__file__).parents[2]
SHOWN = 3
INSTALLED = ("site-packages", "dist-packages")


@cache
def program_code() -> dict[str, str]:
    """Return a digest of each file of the program, by its path in the program's folder."""
    files = [ROOT / "run_sample.py", *(f for name in PACKAGES for f in (ROOT / name).rglob("*.py"))]
    return {f.relative_to(ROOT).as_posix(): _digest(f.read_bytes()) for f in sorted(files)}


def tell_other_code(place: Path, recorded: Mapping[str, str]) -> None:
    """Log in one line that a result which is continued was made with other code of the program."""
    now = program_code()
    changed = [name for name in sorted({*now, *recorded}) if now.get(name) != recorded.get(name)]
    if changed:
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        logger.info(
            "%s: made with other code (%s%s) and continued; delete it to make it again",
            *(place, ", ".join(changed[:SHOWN]), more),
        )


def module_identity(name: str) -> str:
    """Return a module's name with a digest of its source and of what it imports from beside it.

    A module without source, or that is not found, is its name alone.
    """
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return name
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return name
    depth = name.count(".") + (Path(spec.origin).name == "__init__.py")
    sources = _sources(name, Path(spec.origin).parents[depth])
    return f"{name}, source {_digest(b''.join(sources[n] for n in sorted(sources)))}"


def _sources(name: str, home: Path) -> dict[str, bytes]:
    """Read a module, and those below the same folder that it imports; none of the program's own."""
    found: dict[str, bytes] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        path = home.joinpath(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        is_own = home == ROOT and path.relative_to(ROOT).as_posix() in program_code()
        is_other = home.name in INSTALLED and module.split(".")[0] != name.split(".")[0]
        if module in found or not path.is_file() or (module != name and (is_own or is_other)):
            continue
        found[module] = path.read_bytes()
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        with contextlib.suppress(SyntaxError, ImportError):  # importing it says so
            waiting += _imports(ast.parse(found[module]), package)
    return found


def _imports(source: ast.Module, package: str) -> Iterator[str]:
    """Yield the modules that a source imports, and the names from them, which may be modules."""
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{each.name}" for each in node.names)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
