"""Loans: who has what, what should be back by now, and one hand-over with everything that was signed."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from retinue.base.database import Database
from retinue.base.paging import Asked, Page
from retinue.media.links import Links
from retinue.toolkits import loan_routes
from retinue.toolkits.loans import LoanShown, PersonShown
from retinue.toolkits.tables import LoanType, Status
from retinue.web.pages.sheets import plain, sheet
from retinue.web.pages.visiting import SignedIn, Visit, first, page_routes

pages = page_routes()
ON_A_PAGE, ON_A_SHEET = 50, 200
COLUMNS = (
    "receipt",
    "time",
    "type",
    "status",
    "due_at",
    "ended_at",
    "kit",
    "person",
    "employee_number",
    "clerk",
    "signed_by",
    "place",
    "reason",
    "missing",
    "corrected_by_hand",
)


class Given(BaseModel):
    """The filters as the form sends them; what is empty is not wanted."""

    model_config = ConfigDict(extra="ignore")

    show: Literal["", "open", "overdue"] = ""
    type: LoanType | Literal[""] = ""
    status: Status | Literal[""] = ""
    person: str = Field("", max_length=64)
    kit: str = Field("", max_length=36)
    cursor: str = Field("", max_length=512)

    def older(self, cursor: str | None) -> str | None:
        return None if cursor is None else "/loans?" + urlencode({**self._told(), "cursor": cursor})

    def sheet(self) -> str:
        return "/loans.csv?" + urlencode(self._told())

    def _told(self) -> dict[str, str]:
        return {name: value for name, value in self.model_dump(exclude={"cursor"}).items() if value}


@pages.get("/loans")
async def show_loans(visit: SignedIn, given: Annotated[Given, Query()]) -> Response:
    found = await _list(visit, given, first(ON_A_PAGE, given.cursor or None))
    return await visit.show(
        "loans.html", loans=found.items, given=given, next=given.older(found.next_cursor), sheet=given.sheet()
    )


@pages.get("/loans.csv")
async def download_loans(visit: SignedIn, given: Annotated[Given, Query()]) -> Response:
    """What the page lists, all of it."""

    async def fetch(cursor: str | None) -> tuple[list[tuple[str, ...]], str | None]:
        found = await _list(visit, given, first(ON_A_SHEET, cursor))
        return [_row(loan) for loan in found.items], found.next_cursor

    return sheet("loans.csv", COLUMNS, fetch)


async def _list(visit: Visit, given: Given, asked: Asked) -> Page[LoanShown]:
    return await loan_routes.list_loans(
        visit[Database],
        visit[Links],
        visit.identity,
        asked,
        type_=given.type or None,
        status=given.status or None,
        toolkit_id=given.kit or None,
        employee_number=given.person.strip() or None,
        is_open=given.show == "open",
        overdue=given.show == "overdue",
    )


def _row(loan: LoanShown) -> tuple[str, ...]:
    moments = (loan.time, loan.due_at, loan.ended_at)
    at, due_at, ended_at = (moment.isoformat() if moment else "" for moment in moments)
    missing = "; ".join(f"{one.quantity} × {one.name} {one.serial_number or ''}".strip() for one in loan.missing)
    corrected = "; ".join(line.name for line in loan.lines if line.seen is not None and line.seen != line.found)
    words = (loan.kit.name, _named(loan.person), loan.person.employee_number or "", _named(loan.clerk))
    said = (", ".join(loan.signed_by), loan.place, loan.reason, missing, corrected)
    return (loan.id, at, loan.type, loan.status, due_at, ended_at, *map(plain, words), *map(plain, said))


def _named(person: PersonShown) -> str:
    return f"{person.name} {person.surname}".strip() or person.id


@pages.get("/loans/{loan_id}")
async def show_loan(visit: SignedIn, loan_id: str) -> Response:
    db, links, caller = visit[Database], visit[Links], visit.identity
    loan = await loan_routes.get_loan(loan_id, db, links, caller)
    issue = await loan_routes.get_loan(loan.issue_id, db, links, caller) if loan.issue_id else None
    return await visit.show("loan.html", loan=loan, issue=issue)
