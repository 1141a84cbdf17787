"""How a dataset is made, found, renamed, hidden and brought back."""

import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, Invalid, NotFound
from retinue.base.ids import new_id
from retinue.base.paging import Asked
from retinue.datasets.tables import Dataset

MOST_TAGS = 20


class NoSuchDataset(NotFound):
    code = "no-such-dataset"
    title = "There is no such dataset"


class NameTaken(Conflict):
    code = "dataset-name-taken"
    title = "You have another dataset of this name"


class NotDeleted(Conflict):
    code = "dataset-not-deleted"
    title = "This dataset is not deleted"


class BadDatasetName(Invalid):
    code = "bad-dataset-name"
    title = "This cannot be the name of a dataset"


def create(now: Transaction, owner_id: str, name: str, *, tags: Sequence[str] = ()) -> Dataset:
    dataset_id = new_id(now.time)
    values = {
        "id": dataset_id,
        "owner_id": owner_id,
        "name": _checked(name),
        "tags": _tidy(tags),
        "created_at": now.time,
        "updated_at": now.time,
        **dict.fromkeys(("next_index", "pictures", "videos", "frames", "size_bytes"), 0),
    }
    with _name_kept_unique(now):
        now.insert(Dataset, values)
    return _by_id(now, dataset_id)


def find(now: Transaction, name_or_id: str, *, owner_id: str) -> Dataset:
    """By name, else by id; the owner's, and not deleted."""
    mine = sa.select(Dataset).where(Dataset.owner_id == owner_id, Dataset.deleted_at.is_(None))
    found = now.first(mine.where(Dataset.name == unicodedata.normalize("NFC", name_or_id)))
    if found is None and _is_id(name_or_id):
        found = now.first(mine.where(Dataset.id == name_or_id))
    if found is None:
        raise NoSuchDataset()
    return found


def list_own(now: Transaction, owner_id: str, asked: Asked, *, tag: str | None) -> tuple[list[Dataset], str | None]:
    mine = sa.select(Dataset).where(Dataset.owner_id == owner_id, Dataset.deleted_at.is_(None))
    if tag is not None:
        mine = mine.where(_has_tag(now, tag))
    return asked.newest_first(now, mine, Dataset.id, of="datasets")


def list_all(now: Transaction, asked: Asked, *, include_deleted: bool) -> tuple[list[tuple[Dataset, User]], str | None]:
    """For admins: everybody's, with the owner, who may be deleted by now."""
    every = sa.select(Dataset)
    if not include_deleted:
        every = every.where(Dataset.deleted_at.is_(None))
    rows, next_cursor = asked.newest_first(now, every, Dataset.id, of="all-datasets")
    owners = {user.id: user for user in now.all(sa.select(User).where(User.id.in_({row.owner_id for row in rows})))}
    return [(row, owners[row.owner_id]) for row in rows], next_cursor


def change(now: Transaction, dataset: Dataset, *, name: str | None, tags: Sequence[str] | None) -> Dataset:
    """None leaves a value as it is."""
    values: dict[str, object] = {"updated_at": now.time}
    if name is not None:
        values["name"] = _checked(name)
    if tags is not None:
        values["tags"] = _tidy(tags)
    with _name_kept_unique(now):
        now.execute(sa.update(Dataset).where(Dataset.id == dataset.id).values(values))
    return _by_id(now, dataset.id)


def hide(now: Transaction, dataset: Dataset) -> None:
    """Deleted as far as anybody can see; everything in it is kept, and `restore` brings it back."""
    now.execute(sa.update(Dataset).where(Dataset.id == dataset.id).values(deleted_at=now.time))


def restore(now: Transaction, dataset_id: str, *, owner_id: str) -> Dataset:
    found = now.first(sa.select(Dataset).where(Dataset.id == dataset_id, Dataset.owner_id == owner_id))
    if found is None:
        raise NoSuchDataset()
    if found.deleted_at is None:
        raise NotDeleted()
    with _name_kept_unique(now):
        now.execute(sa.update(Dataset).where(Dataset.id == dataset_id).values(deleted_at=None, updated_at=now.time))
    return _by_id(now, dataset_id)


def _by_id(now: Transaction, dataset_id: str) -> Dataset:
    found = now.first(sa.select(Dataset).where(Dataset.id == dataset_id))
    assert found is not None, "it was written in this transaction"
    return found


def _checked(name: str) -> str:
    """A name is a part of addresses, so it may not mean a way."""
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise BadDatasetName("A dataset's name holds no slash, and is not . or ..")
    return unicodedata.normalize("NFC", name)


def _tidy(tags: Sequence[str]) -> list[str]:
    """In the order given, each once."""
    return list(dict.fromkeys(tag for tag in tags if tag))


def _has_tag(now: Transaction, tag: str) -> sa.ColumnElement[bool]:
    if now.connection.dialect.name == "sqlite":
        each = sa.func.json_each(Dataset.tags).table_valued("value")
        return sa.exists(sa.select(sa.literal(1)).select_from(each).where(each.c.value == tag))
    each = sa.func.json_array_elements_text(Dataset.tags).table_valued("value")
    return sa.exists(sa.select(sa.literal(1)).select_from(each).where(each.c.value == tag))


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


@contextmanager
def _name_kept_unique(now: Transaction) -> Iterator[None]:
    """The index decides, in a savepoint: a look beforehand would miss a twin that commits in between."""
    try:
        with now.connection.begin_nested():
            yield
    except sa.exc.IntegrityError as twin:
        raise NameTaken() from twin
