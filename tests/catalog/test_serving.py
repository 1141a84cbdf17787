"""Which version answers, while somebody changes that."""

import asyncio

import pytest
import sqlalchemy as sa

from retinue import assembly
from retinue.base.database import Transaction
from retinue.catalog.serving import Catalog, ModelOff
from retinue.catalog.shelf import Shelf
from retinue.catalog.tables import Model, Version
from retinue.vision.package import Package

NAME = "efficientnet-lite0"


class SlowShelf(Shelf):
    """It takes as long as the test wants until a package is at hand."""

    def arrange(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def package_of(self, version: Version) -> Package:
        self.asked.set()
        await self.may_answer.wait()
        return await super().package_of(version)


async def test_a_look_up_under_way_does_not_bring_back_what_was_changed(house: assembly.House) -> None:
    shelf = SlowShelf(house.shelf.builtin_folder.parent, house.storage)
    shelf.arrange()
    catalog = Catalog(house.database, shelf)
    looking = asyncio.create_task(catalog.serving(NAME))
    await shelf.asked.wait()
    house.database.write_now(switch_off)
    catalog.forget(NAME)
    shelf.may_answer.set()
    assert (await looking).model.enabled, "it had asked before"
    with pytest.raises(ModelOff):
        await catalog.serving(NAME)


def switch_off(now: Transaction) -> None:
    now.execute(sa.update(Model).where(Model.name == NAME).values(enabled=False))
