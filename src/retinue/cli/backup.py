"""`retinue backup` and `retinue restore`: a house in a folder, and back, on any kind of database and store."""

import asyncio
from pathlib import Path

from retinue import assembly
from retinue.base import backing_up, restoring
from retinue.base.database import Database
from retinue.base.secrets import FILE, open_secrets
from retinue.base.settings import read_settings
from retinue.base.storage import open_storage
from retinue.credits.verifying import verify


def backup(folder: Path) -> int:
    """Write everything into a folder: rows, files and the secret. The server may go on; run it again to renew it.

    Parameters
    ----------
    folder:
        Where the backup goes. What an earlier backup copied there already is not copied again.
    """
    settings = read_settings()
    given = settings.secret_key.get_secret_value() if settings.secret_key else None
    secrets, file = open_secrets(settings.data_dir, given), settings.data_dir / FILE
    database = Database(settings.database)
    try:
        made = asyncio.run(
            backing_up.back_up(
                database,
                open_storage(settings.storage),
                secrets,
                secret_file=None if given else file,
                to=folder,
            )
        )
    finally:
        database.close()
    print(f"{sum(made.rows.values())} rows, {made.files} files, {made.file_bytes / 1e6:.1f} MB in {folder}")
    if given:
        print("It does not hold RETINUE_SECRET_KEY: keep that too, a restored house needs the same.")
    else:
        print("It holds the secret of this install: keep it as you keep passwords.")
    return 0


def restore(folder: Path) -> int:
    """Fill an empty database and store from a backup, and check the ledger. Start the server afterwards.

    Parameters
    ----------
    folder:
        What `retinue backup` wrote.
    """
    settings = read_settings()
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        made = asyncio.run(
            restoring.restore(
                database,
                open_storage(settings.storage),
                given_secret=settings.secret_key.get_secret_value() if settings.secret_key else None,
                data_dir=settings.data_dir,
                source=folder,
            )
        )
        violations = database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more))
    finally:
        database.close()
    print(f"{sum(made.rows.values())} rows and {made.files} files of {made.made_at} are back.")
    for one in violations:
        print(f"problem: {one.rule} {one.about}: {one.words}")
    return 1 if violations else 0
