"""Loans: who has what, what should be back by now, and one hand-over with everything that was signed."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from retinue.base.database import Database
from retinue.media.links import Links
from retinue.toolkits import loan_routes
from retinue.toolkits.tables import LoanType, Status
from retinue.web.pages.visiting import SignedIn, first, page_routes

pages = page_routes()
ON_A_PAGE = 50


class Given(BaseModel):
    """The filters as the form sends them; what is empty is not wanted."""

    model_config = ConfigDict(extra="ignore")

    show: Literal["", "open", "overdue"] = ""
    type: LoanType | Literal[""] = ""
    status: Status | Literal[""] = ""
    person: str = Field("", max_length=64)
    cursor: str = Field("", max_length=512)

    def older(self, cursor: str | None) -> str | None:
        told = {name: value for name, value in self.model_dump(exclude={"cursor"}).items() if value}
        return None if cursor is None else "/loans?" + urlencode({**told, "cursor": cursor})


@pages.get("/loans")
async def show_loans(visit: SignedIn, given: Annotated[Given, Query()]) -> Response:
    found = await loan_routes.list_loans(
        visit[Database],
        visit[Links],
        visit.identity,
        first(ON_A_PAGE, given.cursor or None),
        type_=given.type or None,
        status=given.status or None,
        employee_number=given.person.strip() or None,
        is_open=given.show == "open",
        overdue=given.show == "overdue",
    )
    return await visit.show("loans.html", loans=found.items, given=given, next=given.older(found.next_cursor))


@pages.get("/loans/{loan_id}")
async def show_loan(visit: SignedIn, loan_id: str) -> Response:
    db, links, caller = visit[Database], visit[Links], visit.identity
    loan = await loan_routes.get_loan(loan_id, db, links, caller)
    issue = await loan_routes.get_loan(loan.issue_id, db, links, caller) if loan.issue_id else None
    return await visit.show("loan.html", loan=loan, issue=issue)
