"""How a kit goes out and comes back: who may, when it can, and the one transaction in which it happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from retinue.accounts import people
from retinue.accounts.access import Identity
from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, Forbidden, NotFound
from retinue.base.ids import new_id
from retinue.toolkits import checklist, kits
from retinue.toolkits.checking import Comparison
from retinue.toolkits.checklist import Correction, Line
from retinue.toolkits.kits import Contents, KitOut
from retinue.toolkits.tables import Kit, Loan, LoanLine, LoanType


class KitIn(Conflict):
    code = "toolkit-in"
    title = "This kit is in; only one that is out can be returned"


class KitChanged(Conflict):
    code = "toolkit-changed"
    title = "Somebody has changed what belongs into this kit; check it again"


class PersonOff(Conflict):
    code = "employee-disabled"
    title = "This person's account is disabled; no kit is issued to them"


class NoSuchEmployee(NotFound):
    code = "no-such-employee"
    title = "Nobody has this employee number"


class ForOperators(Forbidden):
    code = "for-operators"
    title = "Only operators act for other people"


@dataclass(frozen=True, slots=True)
class HandOver:
    """What a person says about a kit that changes hands."""

    type: LoanType
    contents: Contents
    employee_number: str | None = None
    corrections: Sequence[Correction] = ()
    reason: str = ""
    is_refused: bool = False
    signed_by: Sequence[str] = ()
    place: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a picture showed, if one was taken. One that no model looked at is kept as it is."""

    comparison: Comparison | None = None
    prediction_id: str | None = None
    image_id: str | None = None


def check_can(now: Transaction, told: HandOver, caller: Identity) -> None:
    """Refuses what cannot be, before a picture is looked at; `hand_over` decides again, and for good."""
    person = _person(now, caller, told.employee_number)
    _check_state(now, told, caller, person)


def hand_over(now: Transaction, told: HandOver, evidence: Evidence, caller: Identity) -> Loan:
    """Out or back, or refused: then the kit stays where it is. Of two clerks at once, one is told a conflict."""
    person = _person(now, caller, told.employee_number)
    people.stay(now, person.id)
    kit = _check_state(now, told, caller, person)
    lines = checklist.fill_in(told.contents.wanted, evidence.comparison, told.corrections)
    status = checklist.status_of(lines, reason=told.reason, is_refused=told.is_refused)
    loan_id = new_id(now.time)
    if not told.is_refused:
        _move(now, kit, told, loan_id)
    extra = evidence.comparison.extra if evidence.comparison else ()
    now.insert(
        Loan,
        {
            "id": loan_id,
            "type": told.type,
            "status": status,
            "kit_id": kit.id,
            "person_id": person.id,
            "clerk_id": caller.user_id,
            "issue_id": kit.loan_id,
            "reason": told.reason,
            "signed_by": list(told.signed_by),
            "place": told.place,
            "extra": [line.as_json() for line in extra],
            "prediction_id": evidence.prediction_id,
            "image_id": evidence.image_id,
            "due_at": told.due_at,
            "created_at": now.time,
        },
    )
    _write_lines(now, loan_id, lines)
    written = now.first(sa.select(Loan).where(Loan.id == loan_id))
    assert written is not None, "it was written in this transaction"
    return written


def _check_state(now: Transaction, told: HandOver, caller: Identity, person: User) -> Kit:
    kit = kits.find(now, told.contents.id)
    if told.type == "issue":
        if kit.loan_id is not None:
            raise KitOut(f"{kit.name} was issued before and has not been returned")
        if not person.active:
            raise PersonOff()
        return kit
    if kit.loan_id is None:
        raise KitIn(f"{kit.name} has not been issued")
    holder = now.value(sa.select(Loan.person_id).where(Loan.id == kit.loan_id))
    if not caller.is_operator and holder != caller.user_id:
        raise ForOperators(f"{kit.name} was issued to somebody else; an operator takes it back")
    return kit


def _move(now: Transaction, kit: Kit, told: HandOver, loan_id: str) -> None:
    """One guarded UPDATE: zero rows say that somebody else was faster."""
    as_checked = sa.update(Kit).where(Kit.id == kit.id, Kit.deleted_at.is_(None), Kit.changes == told.contents.changes)
    if told.type == "issue":
        moved = now.changed(as_checked.where(Kit.loan_id.is_(None)).values(loan_id=loan_id))
    else:
        moved = now.changed(as_checked.where(Kit.loan_id == kit.loan_id).values(loan_id=None))
        ended = sa.update(Loan).where(Loan.id == kit.loan_id, Loan.ended_at.is_(None))
        now.execute(ended.values(ended_at=now.time))
    if not moved:
        raise _overtaken(now, kit, told)


def _overtaken(now: Transaction, kit: Kit, told: HandOver) -> Conflict:
    if kits.find(now, kit.id).changes != told.contents.changes:
        return KitChanged()
    if told.type == "issue":
        return KitOut(f"{kit.name} was issued by somebody else at this moment")
    return KitIn(f"{kit.name} was returned by somebody else at this moment")


def _person(now: Transaction, caller: Identity, employee_number: str | None) -> User:
    """Whoever is named; without a number, the caller."""
    if employee_number is None:
        return people.by_id(now, caller.user_id)
    found = now.first(sa.select(User).where(User.employee_number == employee_number, User.deleted_at.is_(None)))
    if found is not None and found.id == caller.user_id:
        return found
    if not caller.is_operator:  # whether the number is anybody's is not theirs to find out
        raise ForOperators()
    if found is None:
        raise NoSuchEmployee(f"Nobody has the employee number {employee_number!r}")
    return found


def _write_lines(now: Transaction, loan_id: str, lines: Sequence[Line]) -> None:
    rows = [
        {
            "loan_id": loan_id,
            "tool_id": line.tool.tool_id,
            "place": place,
            "expected": line.tool.quantity,
            "seen": line.seen,
            "unsure": line.unsure,
            "found": line.found,
            "comment": line.comment,
        }
        for place, line in enumerate(lines)
    ]
    if rows:
        now.insert(LoanLine, rows)
