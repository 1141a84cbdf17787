"""What was handed over, as people read it: one loan, a list of them, and the history of one tool."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, Field

from retinue.accounts.access import Identity
from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, NotFound
from retinue.media.links import Links
from retinue.media.tables import Asset
from retinue.predictions.tables import Prediction
from retinue.toolkits.tables import Kit, Loan, LoanLine, LoanType, Status, Tool


class NoSuchLoan(NotFound):
    code = "no-such-loan"
    title = "There is no such loan"


class HoldsKit(Conflict):
    code = "holds-a-toolkit"
    title = "Whoever has a kit cannot leave"


class PersonShown(BaseModel):
    """Of somebody whose account was deleted, only the id is left."""

    id: str
    name: str
    surname: str
    employee_number: str | None


class KitNamed(BaseModel):
    id: str
    name: str


class LineShown(BaseModel):
    tool_id: str
    name: str
    serial_number: str | None
    expected: int
    seen: int | None = Field(description="in the picture; null: there was none")
    unsure: int
    found: int = Field(description="in the end, corrections by hand included")
    comment: str


class Missing(BaseModel):
    tool_id: str
    name: str
    serial_number: str | None
    quantity: int


class Extra(BaseModel):
    tool_id: str | None
    name: str
    serial_number: str | None
    label: str
    score: float
    box: list[float]
    crop_url: str


class LoanShown(BaseModel):
    id: str
    type: LoanType
    status: Status
    kit: KitNamed
    person: PersonShown
    clerk: PersonShown = Field(description="who was signed in at the station")
    time: AwareDatetime
    due_at: AwareDatetime | None
    open: bool = Field(description="an issue that has not been returned")
    overdue: bool
    ended_at: AwareDatetime | None
    issue_id: str | None = Field(description="of a return: the issue that it ends")
    reason: str
    signed_by: list[str]
    place: str
    lines: list[LineShown]
    missing: list[Missing]
    extra: list[Extra]
    prediction_id: str | None
    picture_url: str | None
    annotated_url: str | None


class ToolSeen(BaseModel):
    """One hand-over in the life of a tool."""

    loan_id: str
    type: LoanType
    status: Status
    kit: KitNamed
    person: PersonShown
    time: AwareDatetime
    expected: int
    seen: int | None
    found: int
    missing: int
    reason: str
    comment: str


def visible_to(caller: Identity) -> sa.Select[Loan]:
    """Operators see everybody's loans, others their own."""
    wanted = sa.select(Loan)
    return wanted if caller.is_operator else wanted.where(Loan.person_id == caller.user_id)


def find(now: Transaction, loan_id: str, caller: Identity) -> Loan:
    found = now.first(visible_to(caller).where(Loan.id == loan_id))
    if found is None:
        raise NoSuchLoan()
    return found


def is_signed(now: Transaction, prediction: Prediction) -> bool:
    """Whether somebody signed a hand-over on the strength of this prediction, or of its picture after a check by hand:
    a proof is not its owner's to delete."""
    by_hand = sa.and_(Loan.image_id == prediction.image_id, Loan.prediction_id.is_(None))
    on_it = sa.or_(Loan.prediction_id == prediction.id, by_hand)
    return now.value(sa.select(Loan.id).where(on_it).limit(1)) is not None


def refuse_while_out(now: Transaction, user_id: str) -> None:
    """Whoever has a kit cannot leave: nobody would know who brings it back."""
    out = only_open(sa.select(Loan)).join(Kit, Kit.id == Loan.kit_id).where(Loan.person_id == user_id)
    if (name := now.value(out.with_only_columns(Kit.name).limit(1))) is not None:
        raise HoldsKit(f"{name} has not been returned; take it back first")


def only_open(wanted: sa.Select[Loan]) -> sa.Select[Loan]:
    return wanted.where(Loan.type == "issue", Loan.status != "refused", Loan.ended_at.is_(None))


def only_overdue(wanted: sa.Select[Loan], at: datetime) -> sa.Select[Loan]:
    return only_open(wanted).where(Loan.due_at < at)


def shown(now: Transaction, rows: Sequence[Loan], links: Links) -> list[LoanShown]:
    """With everything they name, in one query for each kind of it."""
    people = _by_id(now, User, [row.person_id for row in rows] + [row.clerk_id for row in rows])
    named = _by_id(now, Kit, [row.kit_id for row in rows])
    asked = _by_id(now, Prediction, [row.prediction_id for row in rows])
    pictures = [row.image_id for row in rows] + [one.annotated_id for one in asked.values()]
    assets = _by_id(now, Asset, pictures)
    lines = _lines_of(now, [row.id for row in rows])

    def one(row: Loan) -> LoanShown:
        own = lines.get(row.id, [])
        prediction = asked.get(row.prediction_id)
        picture = assets.get(row.image_id)
        annotated = assets.get(prediction.annotated_id) if prediction else None
        same = ("id", "type", "status", "due_at", "ended_at", "reason", "signed_by", "place", "prediction_id")
        return LoanShown(
            **{name: getattr(row, name) for name in same},
            issue_id=row.issue_id,
            kit=KitNamed(id=row.kit_id, name=named[row.kit_id].name),
            person=_person(people[row.person_id]),
            clerk=_person(people[row.clerk_id]),
            time=row.created_at,
            open=row.is_open(),
            overdue=row.is_overdue(now.time),
            lines=own,
            missing=_missing(own),
            extra=_extra(row, picture, links),
            picture_url=links.to(picture, is_proof=True) if picture else None,
            annotated_url=links.to(annotated, is_proof=True) if annotated else None,
        )

    return [one(row) for row in rows]


def history_of(now: Transaction, lines: Sequence[LoanLine]) -> list[ToolSeen]:
    """The hand-overs that these lines of one tool belong to."""
    loans = _by_id(now, Loan, [line.loan_id for line in lines])
    named = _by_id(now, Kit, [loan.kit_id for loan in loans.values()])
    people = _by_id(now, User, [loan.person_id for loan in loans.values()])
    told = []
    for line in lines:
        loan = loans[line.loan_id]
        told.append(
            ToolSeen(
                loan_id=loan.id,
                type=loan.type,
                status=loan.status,
                kit=KitNamed(id=loan.kit_id, name=named[loan.kit_id].name),
                person=_person(people[loan.person_id]),
                time=loan.created_at,
                expected=line.expected,
                seen=line.seen,
                found=line.found,
                missing=line.expected - line.found,
                reason=loan.reason,
                comment=line.comment,
            )
        )
    return told


def _by_id(now: Transaction, kind: Any, ids: Sequence[str | None]) -> Mapping[str | None, Any]:
    wanted = {one for one in ids if one is not None}
    return {row.id: row for row in now.all(sa.select(kind).where(kind.id.in_(wanted)))} if wanted else {}


def _lines_of(now: Transaction, loan_ids: Sequence[str]) -> dict[str, list[LineShown]]:
    counted = (LoanLine.expected, LoanLine.seen, LoanLine.unsure, LoanLine.found, LoanLine.comment)
    asked = (
        sa.select(LoanLine.loan_id, LoanLine.tool_id, Tool.name, Tool.serial_number, *counted)
        .join(Tool, Tool.id == LoanLine.tool_id)
        .where(LoanLine.loan_id.in_(loan_ids))
        .order_by(LoanLine.loan_id, LoanLine.place)
    )
    found: dict[str, list[LineShown]] = {}
    for row in now.rows(asked):
        found.setdefault(row.loan_id, []).append(LineShown.model_validate(row, from_attributes=True))
    return found


def _missing(lines: Sequence[LineShown]) -> list[Missing]:
    return [
        Missing(
            tool_id=line.tool_id,
            name=line.name,
            serial_number=line.serial_number,
            quantity=line.expected - line.found,
        )
        for line in lines
        if line.found < line.expected
    ]


def _extra(row: Loan, picture: Asset | None, links: Links) -> list[Extra]:
    assert picture is not None or not row.extra, "what was seen was seen in a picture"
    if picture is None:
        return []
    return [Extra(**one, crop_url=links.to(picture, crop=one["box"], is_proof=True)) for one in row.extra]


def _person(user: User) -> PersonShown:
    return PersonShown.model_validate(user, from_attributes=True)
