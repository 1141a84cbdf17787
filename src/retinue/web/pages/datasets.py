"""Datasets: which there are, and what is in one."""

from typing import Annotated
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import Query
from starlette.responses import Response

from retinue.base.database import Database, Transaction
from retinue.credits.prices import Prices
from retinue.datasets import items, life_cycle
from retinue.datasets.tables import Dataset, Item
from retinue.media.links import AssetAddress, Links
from retinue.media.quota import used_by
from retinue.web.pages.visiting import SignedIn, first, page_routes

pages = page_routes()
Cursor = Annotated[str | None, Query(max_length=512)]
ON_A_PAGE, ON_A_FURTHER_ONE = 60, 180  # the first comes at once; scrolling through 10,000 takes 56 more
MOST_GROUPS = 200


@pages.get("/datasets")
async def show_datasets(visit: SignedIn, cursor: Cursor = None) -> Response:
    user_id = visit.identity.user_id

    def find(now: Transaction) -> tuple[list[Dataset], str | None, int]:
        rows, next_cursor = life_cycle.list_own(now, user_id, first(200, cursor), tag=None)
        return rows, next_cursor, used_by(now, user_id).size_bytes

    rows, next_cursor, stored = await visit[Database].read(find)
    older = f"/datasets?{urlencode({'cursor': next_cursor})}" if next_cursor else None
    return await visit.show("datasets.html", datasets=rows, next=older, stored_bytes=stored)


@pages.get("/datasets/{name}")
async def show_dataset(
    visit: SignedIn, name: str, group: Annotated[str, Query(max_length=1000)] = "", cursor: Cursor = None
) -> Response:
    def find(now: Transaction) -> tuple[Dataset, list[Item], str | None, list[str]]:
        dataset = life_cycle.find(now, name, owner_id=visit.identity.user_id)
        asked = first(ON_A_FURTHER_ONE if cursor else ON_A_PAGE, cursor)
        rows, next_cursor = items.list_items(now, dataset, asked, group=group or None)
        return dataset, rows, next_cursor, groups_of(now, dataset)

    dataset, rows, next_cursor, groups = await visit[Database].read(find)
    links, owner_id = visit[Links], visit.identity.user_id
    told = {**({"group": group} if group else {}), "cursor": next_cursor or ""}
    return await visit.show(
        "dataset.html",
        dataset=dataset,
        facts={"id": dataset.id, "name": dataset.name},
        items=rows,
        masks={row.index: links.to(AssetAddress(row.mask_id, owner_id)) for row in rows if row.mask_id},
        groups=groups,
        group=group,
        next=f"/datasets/{dataset.id}?{urlencode(told)}" if next_cursor else None,
        prices=visit[Prices],
    )


def groups_of(now: Transaction, dataset: Dataset) -> list[str]:
    kept = sa.select(Item.group).where(Item.dataset_id == dataset.id, Item.deleted_at.is_(None))
    return list(now.execute(kept.distinct().order_by(Item.group).limit(MOST_GROUPS)).scalars())
