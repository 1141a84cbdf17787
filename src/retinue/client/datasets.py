"""Datasets: pictures to work on, put in, listed, and taken out as one file."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from retinue.client.asking import File, Pages, Plan, Request, Work, given, place
from retinue.client.pictures import PictureLike, file_of
from retinue.client.rooms import Room, S, Told, listing, once, operation
from retinue.client.saving import OnBytes, saved
from retinue.client.uploads import OnProgress, Uploads

IN_ONE_REQUEST_BYTES = 16 << 20  # larger files go in pieces, so that a broken line costs one of them
INTAKE_S = 3600.0  # an archive is unpacked, checked and stored before it is answered
Layout = Literal["coco", "yolo", "folders", "masks"]
Said: TypeAlias = Literal["predictions", "feedback"]


class Dataset(Told):
    id: str
    name: str
    tags: list[str]
    items: int
    pictures: int
    videos: int
    frames: int
    size_bytes: int
    created_at: datetime
    updated_at: datetime


class Item(Told):
    index: int
    group: str
    type: str
    image_path: str
    mask_path: str | None
    image_id: str
    mask_id: str | None
    width: int
    height: int
    frames: int | None
    fps: float | None
    duration_s: float | None
    size_bytes: int
    cost: float
    created_at: datetime
    url: str
    mask_url: str | None


class ItemDetail(Item):
    times: list[float] | None


class AcceptedFile(Told):
    index: int | None
    name: str
    mask: str | None
    type: str
    frames: int | None
    cost: float


class RejectedFile(Told):
    name: str
    code: str
    reason: str


class Report(Told):
    accepted: list[AcceptedFile]
    skipped: list[str]
    duplicates: list[str]
    rejected: list[RejectedFile]


class TakenIn(Told):
    processed_items: int
    price: float
    credits_used: float
    credits_remaining: float
    report: Report


class Datasets(Room[S]):
    @operation
    def create(self, name: str, *, tags: Sequence[str] = ()) -> Plan[Dataset]:
        """An empty one. Names are unique among yours."""
        return (
            yield from self._ask(Request("POST", place("/datasets"), json={"name": name, "tags": [*tags]}), Dataset)
        )

    @operation
    def get(self, name: str) -> Plan[Dataset]:
        """By its name or its id."""
        return (yield from self._ask(Request("GET", place("/datasets/{}", name)), Dataset))

    @operation
    def change(self, name: str, *, new_name: str | None = None, tags: Sequence[str] | None = None) -> Plan[Dataset]:
        wanted = given(name=new_name, tags=None if tags is None else [*tags])
        return (yield from self._ask(Request("PATCH", place("/datasets/{}", name), json=wanted), Dataset))

    @operation
    def delete(self, name: str) -> Plan[None]:
        """Out of sight, until it is restored by its id."""
        yield from self._settle(Request("DELETE", place("/datasets/{}", name)))

    @operation
    def restore(self, dataset_id: str) -> Plan[Dataset]:
        return (yield from self._ask(Request("POST", place("/datasets/{}/restore", dataset_id)), Dataset))

    @operation
    def add(
        self,
        name: str,
        file: PictureLike,
        *,
        mask: PictureLike | None = None,
        group: str | None = None,
        fps: float | Literal["source"] | None = None,
        dry_run: bool = False,
        on_progress: OnProgress | None = None,
        idempotency_key: str | None = None,
    ) -> Plan[TakenIn]:
        """A picture or video, alone or with its mask, or a ZIP of many. `dry_run` reports and prices, takes nothing.
        Large files (paths) are sent in pieces; `on_progress` is told bytes sent and bytes in all, of each."""
        form: dict[str, Any] = given(group=group, fps=fps, dry_run=dry_run or None)
        files: list[tuple[str, File]] = []
        for part, upload_id, content in (("file", "upload_id", file), ("mask", "mask_upload_id", mask)):
            if content is None:
                continue
            if isinstance(content, str | Path) and (yield Work(partial(_is_large, Path(content)))):
                sent = yield from Uploads(self._sender)._send(Path(content), on_progress=on_progress)
                form[upload_id] = sent.upload_id
            else:
                files.append((part, (yield Work(partial(file_of, content)))))
        request = Request("POST", place("/datasets/{}/items", name), timeout_s=INTAKE_S)
        if files:
            fields = {field: "true" if told is True else str(told) for field, told in form.items()}
            request = replace(request, form=fields, files=files)
        else:
            request = replace(request, json=form)
        taken: TakenIn = yield from self._ask(once(request, idempotency_key), TakenIn)
        _tell_all_of(files, on_progress)
        return taken

    @operation
    def add_upload(
        self,
        name: str,
        upload_id: str,
        *,
        mask_upload_id: str | None = None,
        group: str | None = None,
        fps: float | Literal["source"] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Plan[TakenIn]:
        """What `uploads.send` brought."""
        told = given(upload_id=upload_id, mask_upload_id=mask_upload_id, group=group, fps=fps, dry_run=dry_run or None)
        request = Request("POST", place("/datasets/{}/items", name), json=told, timeout_s=INTAKE_S)
        return (yield from self._ask(once(request, idempotency_key), TakenIn))

    @operation
    def item(self, name: str, index: int) -> Plan[ItemDetail]:
        """One item; of a video also the times at which its frames were taken."""
        return (yield from self._ask(Request("GET", place("/datasets/{}/items/{}", name, index)), ItemDetail))

    @operation
    def delete_item(self, name: str, index: int) -> Plan[None]:
        yield from self._settle(Request("DELETE", place("/datasets/{}/items/{}", name, index)))

    @operation
    def export(
        self,
        name: str,
        file: str | Path,
        *,
        layout: Layout = "masks",
        split: str | None = None,
        seed: int | None = None,
        including: Sequence[Said] = (),
        model: str | None = None,
        version: str | None = None,
        on_progress: OnBytes | None = None,
    ) -> Plan[Path]:
        """Everything as a ZIP. `split` shares it out for training: 80/10/10. `including` adds what models answered and
        what people said of it; of one `model` or version only, if named."""
        query = {"format": layout, **given(split=split, seed=seed, model=model, version=version)}
        if including:
            query["with"] = ",".join(including)
        request = Request("GET", place("/datasets/{}/export", name), query=query, timeout_s=INTAKE_S)
        return (yield from saved(self, request, file, on_progress=on_progress))

    @listing
    def items(self, name: str, *, group: str | None = None) -> Pages[Item]:
        return self._pages(place("/datasets/{}/items", name), Item, group=group)

    @listing
    def list(self, *, tag: str | None = None) -> Pages[Dataset]:
        """Yours, the newest first."""
        return self._pages(place("/datasets"), Dataset, tag=tag)


def _is_large(file: Path) -> bool:
    return file.stat().st_size > IN_ONE_REQUEST_BYTES


def _tell_all_of(files: Sequence[tuple[str, File]], on_progress: OnProgress | None) -> None:
    if on_progress is not None and files:
        size = sum(len(file[1]) for _, file in files)
        on_progress(size, size)
