"""Kits handed out and taken back, and what was on record about them and their tools."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response

from retinue.accounts.access import Identity, may
from retinue.accounts.routes import EmployeeNumber
from retinue.accounts.tables import User
from retinue.base.clock import Clock
from retinue.base.database import Transaction
from retinue.base.documents import fields_of
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.settings import Settings
from retinue.credits import idempotency
from retinue.credits.idempotency import Answer, IdempotencyKey, Once
from retinue.media import keeping
from retinue.media.keeping import Kept
from retinue.predictions import live
from retinue.predictions.asking import Ask
from retinue.predictions.desk import LARGEST_BODY, Desk, DeskPart
from retinue.predictions.paying import answered_before
from retinue.predictions.receiving import File, declared_bytes
from retinue.toolkits import kits, lending, loans, pictures, tools
from retinue.toolkits.checking import compare_answer
from retinue.toolkits.kit_routes import Checker, LinksPart
from retinue.toolkits.lending import Evidence, HandOver
from retinue.toolkits.loans import LoanShown, ToolSeen
from retinue.toolkits.receiving import CorrectionAsked, HandOverAsked, receive
from retinue.toolkits.tables import Loan, LoanLine, LoanType, Status
from retinue.toolkits.tool_routes import Db, Reader

routes = APIRouter(prefix="/api/v1", tags=["toolkits"])
Overseer = Annotated[Identity, may("toolkits:read", role="operator")]
ClockPart = Annotated[Clock, part(Clock)]
_SAID = HandOverAsked.model_json_schema()["properties"]
_FIELDS = fields_of(HandOverAsked)
for _told in (_SAID, _FIELDS):
    _told["corrections"]["items"] = CorrectionAsked.model_json_schema()
_PARTS = {**_FIELDS, "picture": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "properties": _SAID, "additionalProperties": False}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": _PARTS, "additionalProperties": False},
                "encoding": {"corrections": {"contentType": "application/json"}},
            },
        },
    }
}


@routes.post("/toolkits/{toolkit_id}/issue", status_code=201, response_model=LoanShown, openapi_extra=_BODY)
async def issue_kit(
    toolkit_id: str, request: Request, desk: DeskPart, clock: ClockPart, caller: Checker, key: IdempotencyKey
) -> Response:
    """Hand a kit out, with a picture of it (costs a prediction) or after a check by hand."""
    return await _hand_over("issue", toolkit_id, request, desk, clock, caller, key)


@routes.post("/toolkits/{toolkit_id}/return", status_code=201, response_model=LoanShown, openapi_extra=_BODY)
async def return_kit(
    toolkit_id: str, request: Request, desk: DeskPart, clock: ClockPart, caller: Checker, key: IdempotencyKey
) -> Response:
    """Take a kit back, with a picture of it (costs a prediction) or after a check by hand."""
    return await _hand_over("return", toolkit_id, request, desk, clock, caller, key)


@routes.get("/loans")
async def list_loans(
    db: Db,
    links: LinksPart,
    caller: Reader,
    asked: Paging,
    *,
    type_: Annotated[LoanType | None, Query(alias="type")] = None,
    status: Annotated[Status | None, Query()] = None,
    toolkit_id: Annotated[str | None, Query(max_length=36)] = None,
    employee_number: Annotated[EmployeeNumber | None, Query()] = None,
    is_open: Annotated[bool, Query(alias="open", description="Only kits that are out.")] = False,
    overdue: Annotated[bool, Query(description="Only kits that should be back by now.")] = False,
) -> Page[LoanShown]:
    """Your own, or everybody's for operators; the newest first."""

    def find(now: Transaction) -> Page[LoanShown]:
        wanted = loans.visible_to(caller)
        for column, value in ((Loan.type, type_), (Loan.status, status), (Loan.kit_id, toolkit_id)):
            if value is not None:
                wanted = wanted.where(column == value)
        if employee_number is not None:
            wanted = wanted.join(User, User.id == Loan.person_id).where(User.employee_number == employee_number)
        if is_open:
            wanted = loans.only_open(wanted)
        if overdue:
            wanted = loans.only_overdue(wanted, now.time)
        rows, next_cursor = asked.newest_first(now, wanted, Loan.id, of="loans")
        return Page(items=loans.shown(now, rows, links), next_cursor=next_cursor)

    return await db.read(find)


@routes.get("/loans/{loan_id}")
async def get_loan(loan_id: str, db: Db, links: LinksPart, caller: Reader) -> LoanShown:
    return await db.read(lambda now: loans.shown(now, [loans.find(now, loan_id, caller)], links)[0])


@routes.get("/tools/{tool_id}/history")
async def get_tool_history(tool_id: str, db: Db, _: Overseer, asked: Paging) -> Page[ToolSeen]:
    """Every hand-over that this tool was part of, in whichever kit, the newest first."""

    def find(now: Transaction) -> Page[ToolSeen]:
        tools.find(now, tool_id, deleted_too=True)
        lines, next_cursor = asked.newest_first(now, _lines_of(tool_id), LoanLine.loan_id, of="tool-history")
        return Page(items=loans.history_of(now, lines), next_cursor=next_cursor)

    return await db.read(find)


async def _hand_over(
    kind: LoanType,
    toolkit_id: str,
    request: Request,
    desk: Desk,
    clock: Clock,
    caller: Identity,
    key: str | None,
) -> Response:
    contents = await kits.open_kit(desk.road.database, toolkit_id)
    with desk.memory.room_for(declared_bytes(request, at_most=LARGEST_BODY), caller.user_id):
        asked, file = await receive(request)
        once = idempotency.once(request, key, _fingerprint(asked, file))
        if (before := await answered_before(desk.road, caller.user_id, once)) is not None:
            return _answer(before.body, replayed=True)
        due_at = _due(asked, desk.settings, clock.now()) if kind == "issue" else None
        told = HandOver(
            kind,
            contents,
            employee_number=asked.employee_number,
            corrections=[one.meant() for one in asked.corrections],
            reason=asked.reason,
            is_refused=asked.refused,
            signed_by=asked.signed_by,
            place=asked.place,
            due_at=due_at,
        )
        if once is None:  # with a key, what was answered under it has the first word
            await desk.road.database.read(lambda now: lending.check_can(now, told, caller))
        if file is not None and contents.model is not None:
            return await _after_a_look(desk, told, file, contents.model, caller, once)
        kept = await pictures.keep(desk.road.storage, file, kind="original", at=clock.now()) if file else None
    return await _by_hand(desk, told, kept, caller, once)


async def _after_a_look(
    desk: Desk, told: HandOver, file: File, model: str, caller: Identity, once: Once | None
) -> Response:
    """The charge, the prediction, the loan and the kit's new place are one transaction: a refused hand-over is free."""

    def tell(now: Transaction, row: dict[str, Any]) -> dict[str, Any]:
        seen = compare_answer(told.contents.wanted, row["result"])
        loan = lending.hand_over(now, told, Evidence(seen, row["id"], row["image_id"]), caller)
        return loans.shown(now, [loan], desk.links)[0].model_dump(mode="json")

    ask = pictures.checking(Ask(picture=file.data, filename=file.name, model=model, kit=told.contents))
    answer = await live.predict_image(desk.road, desk.links, ask, caller, once=once, tell=tell)
    return _answer(answer.body, replayed=answer.replayed)


async def _by_hand(desk: Desk, told: HandOver, picture: Kept | None, caller: Identity, once: Once | None) -> Response:
    def work(now: Transaction) -> Answer:
        image_id = keeping.claim(now, caller.user_id, picture) if picture else None
        loan = lending.hand_over(now, told, Evidence(image_id=image_id), caller)
        return Answer(201, loans.shown(now, [loan], desk.links)[0].model_dump_json().encode())

    done = await desk.road.database.write(lambda now: idempotency.run_once(now, caller.user_id, once, work))
    return done.response()


def _answer(body: bytes, *, replayed: bool) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(body, 201, headers, media_type="application/json")


def _due(asked: HandOverAsked, settings: Settings, at: datetime) -> datetime | None:
    if asked.due_at is not None or not settings.loan_hours:
        return asked.due_at
    return at + timedelta(hours=settings.loan_hours)


def _fingerprint(asked: HandOverAsked, file: File | None) -> str:
    digests = [hashlib.sha256(file.data).hexdigest()] if file else []
    return idempotency.fingerprint(asked.model_dump(mode="json"), *digests)


def _lines_of(tool_id: str) -> sa.Select[LoanLine]:
    return sa.select(LoanLine).where(LoanLine.tool_id == tool_id)
