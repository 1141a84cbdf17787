"""Every page: it answers who is signed in, sends others to sign in, and is light, safe and closed to scripts."""

import asyncio
import re

import httpx2
import pytest
from fastapi.routing import iter_route_contexts

from retinue import assembly
from retinue.media.links import AssetAddress, Links
from tests.pictures import drawn, photograph
from tests.web.pages.browsing import LIGHT_BYTES, SCRIPT, Browser, browse, weight_of
from tests.web.pages.screens import SCREENS

OPEN = {"/login", "/register", "/setup"}
NOT_PAGES = {"/thumbs/{image_id}", "/credits.csv", "/loans.csv"}


def pages_of_the_house() -> set[str]:
    routes = [route for router in assembly.PAGES for route in router.routes]
    return {route.path or "" for route in iter_route_contexts(routes) if "GET" in (route.methods or ())}


def test_every_page_has_a_row() -> None:
    assert pages_of_the_house() == set(SCREENS) | OPEN | NOT_PAGES


@pytest.mark.parametrize("path", SCREENS)
async def test_a_page(house: assembly.House, ada: Browser, admin: Browser, path: str) -> None:
    screen = SCREENS[path]
    who = admin if screen.admins_only else ada
    made = await screen.make(house, who)
    place = re.sub(r"{\w+}", made, path)
    shown = await who.get(place)
    assert shown.status_code == 200, shown.text
    check_policy(shown)
    assert "<img src=x" not in shown.text
    assert re.search(r"<script(?![^>]* src=)(?![^>]*application/json)", shown.text) is None
    assert re.search(r"""\s(style|on\w+)=["']""", shown.text) is None
    assert await weight_of(ada.http, shown.text) < LIGHT_BYTES
    stranger = await ada.http.get(place)
    assert stranger.status_code == 303
    assert stranger.headers["location"].startswith("/login")
    if screen.admins_only:
        refused = await ada.get(place)
        assert (refused.status_code, "for admins" in refused.text) == (403, True)


@pytest.mark.parametrize("path", sorted(OPEN))
async def test_an_open_page(admin: Browser, path: str) -> None:
    shown = await admin.http.get(path, follow_redirects=True)
    assert shown.status_code == 200
    check_policy(shown)


def check_policy(shown: httpx2.Response) -> None:
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["cache-control"] == "no-store"
    assert not re.search(r"""(src|href)=["'](https?:)?//""", shown.text)


async def test_a_page_that_is_not_there_says_so_in_words(ada: Browser) -> None:
    """An id of nobody, and one of somebody else: the answer is the same."""
    shown = await ada.get("/thumbs/01a1f906-c852-7626-88b7-e275ae4fa954")
    assert shown.status_code == 404
    assert "text/html" in shown.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/nothing", "text/html,*/*", "text/html"),
        ("/nothing", "*/*", "application/problem+json"),
        ("/api/v1/nothing", "text/html,*/*", "application/problem+json"),
    ],
)
async def test_an_address_that_is_nothing(http: httpx2.AsyncClient, path: str, accept: str, kind: str) -> None:
    """A page for people, a problem document for programs."""
    shown = await http.get(path, headers={"Accept": accept})
    assert shown.status_code == 404
    assert shown.headers["content-type"].startswith(kind)


async def test_a_small_picture_is_its_owners_alone(ada: Browser, admin: Browser, house: assembly.House) -> None:
    told = await ada.post("/api/v1/predict", files={"file": ("coffee.jpg", photograph("coffee"))})
    path = f"/thumbs/{told.json()['image_id']}"
    small = await ada.get(path)
    assert small.headers["content-type"] == "image/jpeg"
    assert len(small.content) < 40_000
    eve = browse(house, ada.http, "eve@example.com")
    assert (await eve.get(path)).status_code == 404
    assert (await ada.http.get(path, headers=SCRIPT)).status_code == 303


async def test_few_pictures_are_opened_at_the_same_time(
    ada: Browser, house: assembly.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page full of small pictures, and links to parts of one: however many are asked for, four are in memory."""
    told = await ada.post("/api/v1/predict", files={"file": ("one.jpg", drawn(1))})
    image_id = told.json()["image_id"]
    part = Links(house.secrets, house.clock).to(AssetAddress(image_id, ada.user.id), crop=(0, 0, 9, 9))
    fetch, may_go, fetched = house.storage.get, asyncio.Event(), 0

    async def slowly(key: str) -> bytes:
        nonlocal fetched
        fetched += 1
        await may_go.wait()
        return await fetch(key)

    monkeypatch.setattr(house.storage, "get", slowly)
    asked = [asyncio.create_task(ada.get(path)) for path in (f"/thumbs/{image_id}", part) for _ in range(6)]
    async with asyncio.timeout(120):
        while fetched < 4:
            await asyncio.wait(asked, timeout=0.01)
        for _ in range(3):
            assert (await ada.get("/history")).status_code == 200  # time enough for the others
    assert fetched == 4
    may_go.set()
    assert [answer.status_code for answer in await asyncio.gather(*asked)] == [200] * 12
