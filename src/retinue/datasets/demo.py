"""A dataset to try things on, for the first admin: the pictures that the playground shows as examples, for nothing."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import sqlalchemy as sa

from retinue.accounts.access import Identity
from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.datasets import life_cycle
from retinue.datasets.content import FileContent
from retinue.datasets.handling import Asked, Importer
from retinue.datasets.importing import take_in
from retinue.datasets.kinds import Sent
from retinue.datasets.tables import Dataset

NAME = "demo"


def first_admin(now: Transaction) -> User | None:
    return now.first(
        sa.select(User).where(User.role == "admin", User.active, User.deleted_at.is_(None)).order_by(User.id).limit(1)
    )


async def put_in(importer: Importer, owner: User, pictures: Sequence[Path]) -> bool:
    """False where the owner has, or had, a dataset of that name: what was deleted does not come back."""

    def begin(now: Transaction) -> Dataset | None:
        known = sa.select(Dataset.id).where(Dataset.owner_id == owner.id, Dataset.name == NAME)
        return None if now.rows(known.limit(1)) else life_cycle.create(now, owner.id, NAME, tags=["example"])

    dataset = await importer.database.write(begin)
    if dataset is None:
        return False
    prices = replace(importer.prices, **{price.name: 0 for price in fields(importer.prices)})
    for path in pictures:
        with path.open("rb") as file:
            sent = Sent(FileContent(path.name, path.stat().st_size, file, path))
            caller = Identity(owner.id, owner.email, owner.role)
            await take_in(replace(importer, prices=prices), sent, Asked(dataset), caller)
    return True
