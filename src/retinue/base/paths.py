"""Which names may become paths: every key of the store passes here, and no other way leads from a name to a file."""

import os
import re
from pathlib import Path

from retinue.base.errors import Invalid

MAX_KEY_LENGTH = 512

# Names are made by us, so the rule says what they look like instead of listing what is dangerous. A part never begins
# with a dot: no `.`, no `..`, and the store's own `.incoming` is out of reach.
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.=-]*"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)


class BadKey(Invalid):
    code = "bad-key"
    title = "This name cannot be used for a stored file"


def safe_key(key: str) -> str:
    """The key itself: parts of letters, digits, `_ . = -`, between single slashes."""
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise BadKey
    return key


def inside(root: Path, key: str) -> Path:
    """The path of `key` under `root`, an absolute path without symbolic links; none on the way down is followed."""
    path = f"{root}/{safe_key(key)}"
    if os.path.realpath(path) != path:
        raise BadKey
    return Path(path)
