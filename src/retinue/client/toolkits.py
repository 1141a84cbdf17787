"""Tools and kits: what belongs into a kit, and whether a picture shows all of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias, TypedDict, Unpack

from retinue.client.asking import Pages, Plan, Request, Work, given, place
from retinue.client.lending import Lending
from retinue.client.pictures import PictureLike, file_of
from retinue.client.predicting import LOOK_S, KitCompared
from retinue.client.rooms import Room, S, Told, listing, once, operation

Items: TypeAlias = Mapping[str, int] | Sequence[str]  # ids of tools: each once, or each with its quantity


class Tool(Told):
    id: str
    name: str
    serial_number: str | None
    category: str
    label: str | None
    created_at: datetime
    updated_at: datetime


class KitItem(Told):
    tool_id: str
    name: str
    serial_number: str | None
    label: str | None
    quantity: int


class Kit(Told):
    id: str
    name: str
    description: str
    model: str | None
    items: list[KitItem]
    picture_url: str | None
    out: bool
    loan_id: str | None
    created_at: datetime
    updated_at: datetime


class Check(KitCompared):
    """What is unsure is listed in `missing` too, until a person says otherwise."""

    prediction_id: str
    image_id: str
    annotated_url: str
    model: str
    model_version: str
    cost: float
    cached: bool


class ToolSeen(Told):
    """A hand-over that a tool was part of."""

    loan_id: str
    type: str
    status: str
    kit: dict[str, Any]
    person: dict[str, Any]
    time: datetime
    expected: int
    seen: int | None
    found: int
    missing: int
    reason: str
    comment: str


class ToolChange(TypedDict, total=False):
    name: str
    serial_number: str | None
    category: str
    label: str | None


class KitChange(TypedDict, total=False):
    name: str
    description: str
    model: str | None


class Tools(Room[S]):
    @operation
    def add(
        self, name: str, *, serial_number: str | None = None, category: str | None = None, label: str | None = None
    ) -> Plan[Tool]:
        """`label` is the class by which a model knows it."""
        told = given(name=name, serial_number=serial_number, category=category, label=label)
        return (yield from self._ask(Request("POST", place("/tools"), json=told), Tool))

    @operation
    def get(self, tool_id: str) -> Plan[Tool]:
        return (yield from self._ask(Request("GET", place("/tools/{}", tool_id)), Tool))

    @operation
    def change(self, tool_id: str, **wanted: Unpack[ToolChange]) -> Plan[Tool]:
        """What is not named stays."""
        return (yield from self._ask(Request("PATCH", place("/tools/{}", tool_id), json=wanted), Tool))

    @operation
    def delete(self, tool_id: str) -> Plan[None]:
        yield from self._settle(Request("DELETE", place("/tools/{}", tool_id)))

    @listing
    def history(self, tool_id: str) -> Pages[ToolSeen]:
        """Every hand-over that it was part of, the newest first."""
        return self._pages(place("/tools/{}/history", tool_id), ToolSeen)

    @listing
    def list(self, *, q: str | None = None, category: str | None = None) -> Pages[Tool]:
        return self._pages(place("/tools"), Tool, q=q, category=category)


class Kits(Lending[S]):
    @operation
    def add(
        self, name: str, *, items: Items = (), description: str | None = None, model: str | None = None
    ) -> Plan[Kit]:
        """`model` looks at its pictures; unset: the server's default for kits."""
        told = given(name=name, description=description, model=model, items=_items(items))
        return (yield from self._ask(Request("POST", place("/toolkits"), json=told), Kit))

    @operation
    def get(self, kit_id: str) -> Plan[Kit]:
        return (yield from self._ask(Request("GET", place("/toolkits/{}", kit_id)), Kit))

    @operation
    def change(self, kit_id: str, *, items: Items | None = None, **wanted: Unpack[KitChange]) -> Plan[Kit]:
        """What is not named stays; `items` are all of them."""
        told = {**wanted, **given(items=None if items is None else _items(items))}
        return (yield from self._ask(Request("PATCH", place("/toolkits/{}", kit_id), json=told), Kit))

    @operation
    def delete(self, kit_id: str) -> Plan[None]:
        yield from self._settle(Request("DELETE", place("/toolkits/{}", kit_id)))

    @operation
    def set_picture(self, kit_id: str, picture: PictureLike) -> Plan[Kit]:
        """How it looks when it is complete."""
        files = [("file", (yield Work(partial(file_of, picture))))]
        return (yield from self._ask(Request("PUT", place("/toolkits/{}/picture", kit_id), files=files), Kit))

    @operation
    def check(
        self,
        kit_id: str,
        picture: PictureLike,
        *,
        confidence: float | None = None,
        idempotency_key: str | None = None,
    ) -> Plan[Check]:
        """What of the kit is in the picture, and what is not. Costs a prediction."""
        files = [("file", (yield Work(partial(file_of, picture))))]
        form: dict[str, str] = {} if confidence is None else {"confidence": str(confidence)}
        path = place("/toolkits/{}/check", kit_id)
        request = Request("POST", path, form=form, files=files, timeout_s=LOOK_S)
        return (yield from self._ask(once(request, idempotency_key), Check))

    @listing
    def list(self, *, q: str | None = None, out: bool | None = None) -> Pages[Kit]:
        """`out`: only those that somebody has, or only those that are here."""
        return self._pages(place("/toolkits"), Kit, q=q, out=None if out is None else str(out).lower())


def _items(items: Items) -> Sequence[dict[str, Any]]:
    quantities = items.items() if isinstance(items, Mapping) else ((tool_id, 1) for tool_id in items)
    return [{"tool_id": tool_id, "quantity": quantity} for tool_id, quantity in quantities]
