"""Kits that change hands: signed loans, from a picture or from a check by hand."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypedDict, Unpack

from retinue.client.asking import Pages, Plan, Request, Work, given, place
from retinue.client.pictures import PictureLike, file_of
from retinue.client.predicting import LOOK_S
from retinue.client.rooms import Room, S, Told, listing, once, operation


class Loan(Told):
    """`type` is issue or return; `status` complete, incomplete, overridden or refused."""

    id: str
    type: str
    status: str
    kit: dict[str, Any]
    person: dict[str, Any]
    clerk: dict[str, Any]
    time: datetime
    due_at: datetime | None
    open: bool
    overdue: bool
    ended_at: datetime | None
    issue_id: str | None
    reason: str
    signed_by: list[str]
    place: str
    lines: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    extra: list[dict[str, Any]]
    prediction_id: str | None
    picture_url: str | None
    annotated_url: str | None


class HandOver(TypedDict, total=False):
    """What is said beside the picture. `corrections` name what is not as seen: {tool_id, present or found, comment}."""

    employee_number: str  # whom it goes to or comes from; unset: you
    corrections: Sequence[Mapping[str, Any]]
    reason: str  # why it changes hands although something is missing
    refused: bool  # it stays where it is; this is only put on record
    signed_by: Sequence[str]
    place: str
    due_at: datetime


class Lending(Room[S]):
    """Part of `kits`."""

    @operation
    def issue(
        self,
        kit_id: str,
        picture: PictureLike | None = None,
        *,
        idempotency_key: str | None = None,
        **told: Unpack[HandOver],
    ) -> Plan[Loan]:
        """Hand a kit out, with a picture of it (costs a prediction) or after a check by hand."""
        request = yield from _request(place("/toolkits/{}/issue", kit_id), picture, told)
        return (yield from self._ask(once(request, idempotency_key), Loan))

    @operation
    def take_back(
        self,
        kit_id: str,
        picture: PictureLike | None = None,
        *,
        idempotency_key: str | None = None,
        **told: Unpack[HandOver],
    ) -> Plan[Loan]:
        """The same when it comes back."""
        request = yield from _request(place("/toolkits/{}/return", kit_id), picture, told)
        return (yield from self._ask(once(request, idempotency_key), Loan))


class Loans(Room[S]):
    @operation
    def get(self, loan_id: str) -> Plan[Loan]:
        return (yield from self._ask(Request("GET", place("/loans/{}", loan_id)), Loan))

    @listing
    def list(
        self,
        *,
        type: str | None = None,  # noqa: A002 the parameter's name in the API
        status: str | None = None,
        kit_id: str | None = None,
        employee_number: str | None = None,
        open: bool = False,  # noqa: A002 the parameter's name in the API
        overdue: bool = False,
    ) -> Pages[Loan]:
        """Your own, or everybody's for operators; the newest first."""
        query = given(type=type, status=status, toolkit_id=kit_id, employee_number=employee_number)
        query |= given(open="true" if open else None, overdue="true" if overdue else None)
        return self._pages(place("/loans"), Loan, **query)


def _request(path: str, picture: PictureLike | None, told: HandOver) -> Plan[Request]:
    said: dict[str, Any] = {**told}
    if "due_at" in told:
        said["due_at"] = told["due_at"].isoformat()
    if picture is None:
        return Request("POST", path, json=said)
    files = [("picture", (yield Work(partial(file_of, picture))))]
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}
    return Request("POST", path, form=form, files=files, timeout_s=LOOK_S)
