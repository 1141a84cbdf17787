"""The install's one secret, and the keys derived from it, one per purpose."""

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from retinue.base.errors import Invalid

FILE = "secret.key"


class SecretExposed(Invalid):
    code = "secret-exposed"
    title = "The secret key can be read by others"


class Secrets:
    """Gives each purpose a key of its own, so that a token can never be taken for a link."""

    def __init__(self, master: str) -> None:
        self._master = master.encode()

    def key(self, purpose: str) -> bytes:
        return hmac.digest(self._master, f"retinue/{purpose}".encode(), hashlib.sha256)

    @property
    def fingerprint(self) -> str:
        """Tells two secrets apart and nothing about either."""
        return self.key("fingerprint").hex()[:16]

    def __repr__(self) -> str:
        return "Secrets(…)"


def open_secrets(data_dir: Path, given: str | None) -> Secrets:
    """The given secret, else the one kept in the data folder, which is made at the first start."""
    if given:
        return Secrets(given)
    file = data_dir / FILE
    if not file.exists():
        _make(file)
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretExposed(f"Run: chmod 600 {file}")
    return Secrets(file.read_text())


def _make(file: Path) -> None:
    """Written aside and linked, so that of two first starts one wins and nobody reads half a secret."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{FILE}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
        new.write(secrets.token_urlsafe(48))
        new.flush()
        os.fsync(new.fileno())
    with suppress(FileExistsError):
        file.hardlink_to(draft)
    draft.unlink()
