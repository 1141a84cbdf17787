"""Somebody with a browser, without the browser: cookies, and the headers only a browser of the same origin sends."""

import re
from dataclasses import dataclass
from typing import Any

import httpx2

from retinue import assembly
from retinue.accounts import browsers, people
from retinue.accounts.people import Newcomer
from retinue.accounts.tables import Role, User
from retinue.base.database import Transaction
from tests.accounts.people import PASSWORD

HERE = "http://127.0.0.1:8000"
SAME = {"Sec-Fetch-Site": "same-origin"}
SCRIPT = {**SAME, "X-Requested-With": "retinue"}
LIGHT_BYTES = 150_000  # of a page with its style sheet and every script it asks for, without pictures
_TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')


@dataclass
class Browser:
    http: httpx2.AsyncClient
    user: User
    cookie: str

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """As a script or a link of our own page would."""
        headers = {"Cookie": f"{browsers.PLAIN_NAME}={self.cookie}", **SCRIPT, **more.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, **more: Any) -> httpx2.Response:
        return await self.ask("POST", path, **more)


def browse(house: assembly.House, http: httpx2.AsyncClient, email: str, *, role: Role = "user") -> Browser:
    hashed = house.accounts.hasher.choose_now(PASSWORD)

    def begin(now: Transaction) -> browsers.Opened:
        user = people.sign_up(now, Newcomer(email, hashed, role=role), then=house.accounts.after_sign_up)
        return browsers.begin(now, user, address="127.0.0.1", agent="test")

    opened = house.database.write_now(begin)
    return Browser(http, opened.user, opened.cookie)


async def post_form(http: httpx2.AsyncClient, path: str, **fields: str) -> httpx2.Response:
    """Opens the form's page, fills it in and sends it, as a browser does without any script."""
    http.cookies.clear()
    shown = await http.get(path)
    token = _TOKEN.search(shown.text)
    assert token is not None, shown.text
    return await http.post(path, data={"token": token[1], **fields}, headers=SAME)


async def weight_of(http: httpx2.AsyncClient, page: str) -> int:
    """The page, and everything of ours that it names or that a script of it imports, each once."""
    waiting = set(re.findall(r'(?:src|href)="(/static/[^"#]+\.(?:js|css|svg))', page))
    seen: set[str] = set()
    total = len(page)
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = await http.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["cache-control"]
        total += len(answer.content)
        folder = path.rsplit("/", 1)[0]
        waiting |= {f"{folder}/{name}" for name in re.findall(r'from "\./([\w.]+)"', answer.text)} - seen
    return total
