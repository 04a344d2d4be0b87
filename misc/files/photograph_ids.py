"""The photographs among files, and ids for them: parts of the names of outputs, lines of lists."""

import hashlib
import logging
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from misc.files.images import photograph_formats

# Most file systems take 255 bytes, and outputs add endings.
LONGEST = 150
HEIF = {".heic", ".heif"}
_log = logging.getLogger("irnet.files")


def photograph_ids(files: Sequence[str], *, source: str) -> dict[str, str]:
    """Return those files that are photographs by their names, each by an id.

    An id is the path without its ending, or with it where several differ in nothing else, or else
    with a digest of it; '_' stands for '/', and '-' for what file names or lists cannot hold.
    """
    endings = photograph_formats()
    found = {path: os.path.splitext(path)[1].lower() for path in files}
    paths = [path for path, ending in found.items() if ending in endings]
    others = Counter(ending for ending in found.values() if ending not in endings)
    listed = ", ".join(f"{count} {e or 'without ending'}" for e, count in others.most_common(5))
    if HEIF & others.keys():
        listed += "; HEIC is read where pillow-heif is installed: pip install pillow-heif"
    if not paths:
        raise FileNotFoundError(
            f"{source}: no image in it ({listed or 'it is empty'}); read are "
            f"{', '.join(sorted(endings))}"
        )
    if others:
        _log.info("%s: %d files are no images (%s)", source, others.total(), listed)
    return _unique(paths)


def _unique(paths: Sequence[str]) -> dict[str, str]:
    forms = [_forms(path) for path in paths]
    # A file system may take upper and lower case for the same.
    uses = Counter(form.casefold() for each in forms for form in set(each))
    chosen = (next(form for form in each if uses[form.casefold()] == 1) for each in forms)
    return dict(zip(chosen, paths, strict=True))


def _forms(path: str) -> list[str]:
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    short, whole = _plain(os.path.splitext(path)[0]), _plain(path)
    end = short.encode()[-LONGEST:].decode(errors="ignore").strip().lstrip("#.")
    return [form for form in (short, whole) if len(form.encode()) <= LONGEST] + [f"{end}-{digest}"]


def _plain(path: str) -> str:
    # The same accented name has two spellings; macOS writes the longer one.
    text = unicodedata.normalize("NFC", path).strip().replace("/", "_")
    text = re.sub(r'[^\S ]|[\x00-\x1f\x7f\ud800-\udfff\\:*?"<>|]|\.\.+', "-", text)
    return text.strip().lstrip("#.") or "image"  # a list's line may begin with neither
