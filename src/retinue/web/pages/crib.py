"""The crib station, full screen: a kit is found, a picture of it fills in the list, and a person signs."""

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import RedirectResponse, Response

from retinue.accounts import people
from retinue.accounts.tables import User
from retinue.base.database import Database, Transaction
from retinue.base.settings import Settings
from retinue.media.links import Links
from retinue.toolkits import kit_routes, loan_routes, loans
from retinue.toolkits.loans import LoanShown
from retinue.toolkits.tables import Loan
from retinue.web.pages.visiting import SignedIn, first, page_routes

pages = page_routes()
MOST_KITS = 200


@pages.get("/crib")
async def show_station(visit: SignedIn, q: Annotated[str, Query(max_length=100)] = "") -> Response:
    """A search that finds one kit goes on to it: type, Enter."""
    found = await kit_routes.list_kits(
        visit[Database], visit[Links], visit.identity, first(MOST_KITS), q=q.strip() or None
    )
    if q.strip() and len(found.items) == 1:
        return RedirectResponse(f"/crib/{found.items[0].id}", 303)
    return await visit.show("crib.html", kits=found.items, q=q, there_are_more=found.next_cursor is not None)


@pages.get("/crib/{kit_id}")
async def show_check(visit: SignedIn, kit_id: str) -> Response:
    db, links, caller = visit[Database], visit[Links], visit.identity
    kit = await kit_routes.get_kit(kit_id, db, links, caller)

    def find(now: Transaction) -> tuple[User, LoanShown | None]:
        out = now.first(loans.visible_to(caller).where(Loan.id == kit.loan_id)) if kit.loan_id else None
        return people.by_id(now, caller.user_id), loans.shown(now, [out], links)[0] if out else None

    person, issue = await db.read(find)
    facts: dict[str, Any] = {
        "kit": kit.model_dump(mode="json", include={"id", "name", "model", "items"}),
        "way": "return" if kit.out else "issue",
        "by": caller.user_id,
        "guide": kit.picture_url or (issue.picture_url if issue else None),
    }
    return await visit.show(
        "crib_check.html",
        kit=kit,
        issue=issue,
        facts=facts,
        person=person,
        is_operator=caller.is_operator,
        tools=sum(item.quantity for item in kit.items),
        loan_hours=visit[Settings].loan_hours,
    )


@pages.get("/crib/receipts/{loan_id}")
async def show_receipt(visit: SignedIn, loan_id: str) -> Response:
    loan = await loan_routes.get_loan(loan_id, visit[Database], visit[Links], visit.identity)
    return await visit.show("crib_receipt.html", loan=loan)
