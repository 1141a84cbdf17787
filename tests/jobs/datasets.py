"""Datasets for tests, their files written and their rows put straight into the tables."""

from collections.abc import Sequence

from retinue import assembly
from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.datasets import life_cycle
from retinue.datasets.tables import Item
from retinue.media import keeping
from retinue.media.keeping import Kept, keep_file
from tests.accounts.people import Person
from tests.pictures import drawn

Picture = tuple[str, bytes] | tuple[str, bytes, bytes]


def drawn_pictures(count: int) -> list[Picture]:
    return [(f"picture_{n:05d}.jpg", drawn(n)) for n in range(count)]


async def a_dataset(house: assembly.House, owner: Person, pictures: Sequence[Picture], *, name: str = "photos") -> str:
    """Names with a slash lie in a group. Gives the dataset's id."""
    kept = [await _keep(house, *picture) for picture in pictures]

    def write(now: Transaction) -> str:
        dataset = life_cycle.create(now, owner.user.id, name)
        keeping.claim_all(now, owner.user.id, [file for files in kept for file in files])
        rows = [
            _row(now, dataset.id, n, picture[0], *files)
            for n, (picture, files) in enumerate(zip(pictures, kept, strict=True))
        ]
        if rows:
            now.insert(Item, rows)
        return dataset.id

    return await house.database.write(write)


async def _keep(house: assembly.House, name: str, data: bytes, mask: bytes | None = None) -> list[Kept]:
    files = [("item", name, data, "jpg")] + ([("mask", f"{name}-mask", mask, "png")] if mask else [])
    return [
        await keep_file(
            house.storage,
            content,
            kind=kind,  # type: ignore[arg-type]
            at=house.clock.now(),
            filename=filename,
            mime_type="image/jpeg" if ending == "jpg" else "image/png",
            extension=ending,
            size=(64, 48),
        )
        for kind, filename, content, ending in files
    ]


def _row(
    now: Transaction, dataset_id: str, index: int, name: str, image: Kept, mask: Kept | None = None
) -> dict[str, object]:
    group, _, plain = name.rpartition("/")
    return {
        "id": new_id(now.time),
        "dataset_id": dataset_id,
        "index": index,
        "group": group,
        "type": "pair" if mask else "image",
        "name": plain,
        "mask_name": mask.filename if mask else None,
        "image_id": image.id,
        "mask_id": mask.id if mask else None,
        "width": image.width,
        "height": image.height,
        "size_bytes": image.size_bytes,
        "cost": 0,
        "fingerprint": image.sha256,
        "created_at": now.time,
    }
