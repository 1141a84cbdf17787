"""API keys: which there are, making one, revoking one."""

from starlette.responses import Response

from retinue.accounts import routes as account_routes
from retinue.accounts.access import SCOPES
from retinue.accounts.opening import Accounts
from retinue.web.pages.visiting import SignedIn, first, page_routes

pages = page_routes()


@pages.get("/keys")
async def show_keys(visit: SignedIn) -> Response:
    found = await account_routes.list_keys(visit.identity, visit[Accounts], first(200))
    scopes = [scope for scope in SCOPES if scope != "admin" or visit.identity.is_admin]
    return await visit.show("keys.html", keys=found.items, scopes=scopes)
