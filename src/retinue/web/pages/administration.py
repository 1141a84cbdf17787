"""What admins see and do: people and their credits, jobs and workers, the audit trail. Every deed calls the API."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import Query
from starlette.responses import Response

from retinue.accounts import admin_routes, people
from retinue.accounts.opening import Accounts
from retinue.accounts.tables import User
from retinue.base.clock import Clock
from retinue.base.database import Database, Transaction
from retinue.base.settings import Settings
from retinue.base.storage import Storage
from retinue.credits import ledger
from retinue.credits.statement import Sums, Told, statement, sums
from retinue.jobs import admin_routes as jobs_admin_routes
from retinue.jobs.running import Jobs
from retinue.jobs.tables import OPEN_JOBS, Job
from retinue.predictions.measuring import Pace, paces
from retinue.vision.engine import Engine
from retinue.web import upkeep
from retinue.web.pages.lately import Lately
from retinue.web.pages.visiting import AsAdmin, first, page_routes

pages = page_routes()
Cursor = Annotated[str | None, Query(max_length=512)]
DAYS, HOURS = 14, 24


@pages.get("/admin")
async def show_overview(visit: AsAdmin) -> Response:
    hour = visit[Clock].now().replace(minute=0, second=0, microsecond=0)  # type: ignore[type-abstract]
    today = hour.replace(hour=0)
    since = today - timedelta(days=DAYS - 1)
    workers = await jobs_admin_routes.show_workers(visit[Database], visit[Jobs], visit.identity)

    def add_up(now: Transaction) -> tuple[list[Sums], list[Sums]]:
        return sums(now, group_by="day", since=since), sums(now, group_by="user", since=since)

    def measure(now: Transaction) -> tuple[list[Pace], list[Pace]]:
        hours = [hour + timedelta(hours=at + 1 - HOURS) for at in range(HOURS + 1)]
        return paces(now, hours), paces(now, [since + timedelta(days=at) for at in range(DAYS + 1)])

    by_day, by_user = await visit[Lately].ask("sums", lambda: visit[Database].read(add_up))

    by_hour, by_date = await visit[Lately].ask("paces", lambda: visit[Database].read(measure))

    def find(now: Transaction) -> tuple[dict[str, str], int, int]:
        count = sa.select(sa.func.count())
        everybody = now.value(count.select_from(User).where(User.deleted_at.is_(None))) or 0
        under_way = now.value(count.select_from(Job).where(Job.state.in_(OPEN_JOBS))) or 0
        return names_of(now, (one.key for one in by_user)), everybody, under_way

    names, everybody, under_way = await visit[Database].read(find)
    told = {one.key: one for one in by_day}
    nothing = Sums("", 0, 0, 0, 0, 0)
    days = [told.get((since + timedelta(days=day)).date().isoformat(), nothing) for day in range(DAYS)]
    return await visit.show(
        "admin.html",
        days=days,
        most=max(day.charged for day in days),
        spenders=sorted(by_user, key=lambda one: -one.charged),
        names=names,
        people=everybody,
        open_jobs=under_way,
        workers=workers,
        live=sum(one.live for one in workers),
        loaded=visit[Engine].state()["models"],
        paces={"hour": by_hour, "day": by_date},
    )


@pages.get("/admin/users")
async def show_people(visit: AsAdmin, q: Annotated[str, Query(max_length=100)] = "", cursor: Cursor = None) -> Response:
    found = await admin_routes.list_users(visit.identity, visit[Accounts], first(50, cursor), q=q or None)

    def find(now: Transaction) -> dict[str, int]:
        return {one.id: ledger.balance(now, one.id).available for one in found.items}

    balances = await visit[Database].read(find)
    older = urlencode({"q": q, "cursor": found.next_cursor or ""})
    return await visit.show(
        "admin_users.html",
        users=found.items,
        balances=balances,
        q=q,
        next=f"/admin/users?{older}" if found.next_cursor else None,
    )


@pages.get("/admin/users/{user_id}")
async def show_person(visit: AsAdmin, user_id: str) -> Response:
    def find(now: Transaction) -> tuple[User, ledger.Balance, list[Told]]:
        user = people.by_id(now, user_id)
        entries, _ = statement(now, user.id, first(50))
        return user, ledger.balance(now, user.id), entries

    user, has, entries = await visit[Database].read(find)
    return await visit.show("admin_user.html", user=user, credits=has, entries=entries)


@pages.get("/admin/work")
async def show_work(visit: AsAdmin, cursor: Cursor = None) -> Response:
    db = visit[Database]
    workers = await jobs_admin_routes.show_workers(db, visit[Jobs], visit.identity)
    jobs = await jobs_admin_routes.list_all_jobs(db, visit.identity, first(50, cursor))
    names = await db.read(lambda now: names_of(now, (job.user_id for job in jobs.items)))
    older = f"/admin/work?{urlencode({'cursor': jobs.next_cursor})}" if jobs.next_cursor else None
    return await visit.show("admin_work.html", workers=workers, jobs=jobs.items, names=names, next=older)


@pages.get("/admin/audit")
async def show_audit(visit: AsAdmin, cursor: Cursor = None) -> Response:
    deeds = await admin_routes.show_audit(visit.identity, visit[Accounts], first(100, cursor))
    ids = [id_ for deed in deeds.items for id_ in (deed.actor, deed.subject)]
    names = await visit[Database].read(lambda now: names_of(now, ids))
    older = f"/admin/audit?{urlencode({'cursor': deeds.next_cursor})}" if deeds.next_cursor else None
    return await visit.show("admin_audit.html", deeds=deeds.items, names=names, next=older)


@pages.get("/admin/storage")
async def show_storage(visit: AsAdmin) -> Response:
    store = visit[Storage]  # type: ignore[type-abstract]
    told = await upkeep.show_storage(visit[Settings], visit[Database], store, visit.identity)
    return await visit.show("admin_storage.html", told=told)


@pages.get("/admin/settings")
async def show_settings(visit: AsAdmin) -> Response:
    return await visit.show("admin_settings.html", told=await upkeep.show_settings(visit[Settings], visit.identity))


def names_of(now: Transaction, user_ids: Iterable[str]) -> dict[str, str]:
    """The addresses of those that still have one."""
    wanted = sa.select(User.id, User.email).where(User.id.in_(set(user_ids)), User.deleted_at.is_(None))
    return {row.id: row.email for row in now.rows(wanted)}
