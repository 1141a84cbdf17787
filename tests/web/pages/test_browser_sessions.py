"""Signing in with a browser: forms, the cookie, how long it lasts, and who else may use it (nobody)."""

import httpx2
import pytest

from retinue import assembly
from retinue.accounts import browsers
from retinue.base.clock import SetClock
from tests.accounts.people import PASSWORD
from tests.web.pages.browsing import SAME, SCRIPT, Browser, post_form


class TestComing:
    async def test_the_first_admin_sets_the_house_up(self, house: assembly.House, http: httpx2.AsyncClient) -> None:
        assert (await http.get("/")).headers["location"] == "/login"
        assert (await http.get("/login")).headers["location"] == "/setup"
        wrong = await post_form(http, "/setup", code="no", email="root@example.com", password=PASSWORD)
        assert wrong.status_code == 403
        assert "This is not the set-up code" in wrong.text
        made = await post_form(http, "/setup", code=house.setup_code or "", email="root@example.com", password=PASSWORD)
        assert (made.status_code, made.headers["location"]) == (303, "/")
        assert (await http.get("/api/v1/me", headers=SCRIPT)).json()["role"] == "admin"
        assert (await http.get("/setup")).headers["location"] == "/login"

    async def test_a_new_person_registers_and_is_in(self, admin: Browser, http: httpx2.AsyncClient) -> None:
        weak = await post_form(http, "/register", email="eve@example.com", password="password")
        assert (weak.status_code, "too easy to guess" in weak.text) == (422, True)
        made = await post_form(http, "/register", email="eve@example.com", password=PASSWORD, name="Eve")
        assert made.headers["location"] == "/"
        assert (await http.get("/api/v1/me", headers=SCRIPT)).json()["name"] == "Eve"

    async def test_signing_in_goes_on_to_the_page_one_wanted(
        self, admin: Browser, ada: Browser, http: httpx2.AsyncClient
    ) -> None:
        sent = await http.get("/login?next=/datasets/kits%3Fx=1")
        assert "/datasets/kits?x=1" in sent.text
        told = await post_form(http, "/login", email="ada@example.com", password=PASSWORD, next="/history?model=a")
        assert (told.status_code, told.headers["location"]) == (303, "/history?model=a")
        kept = told.headers["set-cookie"]
        assert "HttpOnly" in kept
        assert "SameSite=lax" in kept

    @pytest.mark.parametrize("place", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb"])
    async def test_only_pages_of_ours_are_gone_on_to(
        self, admin: Browser, ada: Browser, http: httpx2.AsyncClient, place: str
    ) -> None:
        told = await post_form(http, "/login", email="ada@example.com", password=PASSWORD, next=place)
        assert told.headers["location"] == "/"

    async def test_a_wrong_password_says_so_and_keeps_the_address(
        self, admin: Browser, ada: Browser, http: httpx2.AsyncClient
    ) -> None:
        told = await post_form(http, "/login", email="ada@example.com", password="wrong-horse")
        assert told.status_code == 401
        assert "Address and password do not fit together" in told.text
        assert 'value="ada@example.com"' in told.text


class TestStaying:
    async def test_people_at_rest_are_signed_out_after_twelve_hours(self, ada: Browser, clock: SetClock) -> None:
        clock.advance(hours=11)
        assert (await ada.get("/api/v1/me")).status_code == 200
        clock.advance(hours=11)  # the use in between counts
        assert (await ada.get("/api/v1/me")).status_code == 200
        clock.advance(hours=12, seconds=1)
        assert (await ada.get("/api/v1/me")).status_code == 401

    async def test_admins_after_one_and_never_later_than_twelve(self, admin: Browser, clock: SetClock) -> None:
        for _ in range(14):
            clock.advance(minutes=50)
            assert (await admin.get("/api/v1/me")).status_code == 200
        clock.advance(minutes=50)
        assert (await admin.get("/api/v1/me")).status_code == 401

    async def test_signing_out_ends_it_at_once(self, ada: Browser, house: assembly.House) -> None:
        found = await house.database.read(lambda now: browsers.find(now, ada.cookie))
        assert found is not None
        told = await ada.post("/logout", data={"token": "0" * 64})
        assert told.status_code == 403
        from retinue.web.pages.drawing import Face

        token = Face(house.settings, house.secrets).form_token(found.session.id)
        told = await ada.post("/logout", data={"token": token})
        assert told.headers["location"] == "/login"
        assert (await ada.get("/api/v1/me")).status_code == 401

    async def test_what_admins_change_wants_a_fresh_password(self, admin: Browser, clock: SetClock) -> None:
        gift = {"json": {"amount": 5, "reason": "a gift"}}
        path = "/api/v1/admin/users/root@example.com/credits"
        assert (await admin.post(path, **gift)).status_code == 200
        clock.advance(minutes=16)
        told = await admin.post(path, **gift)
        assert (told.status_code, told.json()["code"]) == (403, "prove-again")
        assert (await admin.get("/api/v1/admin/users")).status_code == 200  # looking needs none
        assert (await admin.post("/prove", data={"password": "wrong-horse"})).status_code == 403
        assert (await admin.post("/prove", data={"password": PASSWORD})).status_code == 204
        assert (await admin.post(path, **gift)).status_code == 200


CROSS_SITE = {
    "a form of another site": {"Sec-Fetch-Site": "cross-site", "X-Requested-With": "retinue"},
    "a sibling subdomain": {"Sec-Fetch-Site": "same-site", "X-Requested-With": "retinue"},
    "another origin, no fetch metadata": {"Origin": "https://evil.example", "X-Requested-With": "retinue"},
    "a null origin": {"Origin": "null", "X-Requested-With": "retinue"},
    "no origin at all": {"X-Requested-With": "retinue"},
    "our origin on another port": {"Origin": "http://127.0.0.1:9000", "X-Requested-With": "retinue"},
    "no header of our scripts": SAME,
    "plain text that is JSON": {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
}


@pytest.mark.parametrize("shape", CROSS_SITE)
async def test_nobody_else_may_use_the_cookie(ada: Browser, shape: str) -> None:
    headers = {"Cookie": f"{browsers.PLAIN_NAME}={ada.cookie}", **CROSS_SITE[shape]}
    for method, path in [("POST", "/api/v1/datasets"), ("PATCH", "/api/v1/me"), ("DELETE", "/api/v1/me")]:
        told = await ada.http.request(method, path, headers=headers, content=b'{"name": "x"}')
        assert (told.status_code, told.json()["code"]) == (403, "not-from-here"), (method, path)
    for path in ("/login", "/register", "/setup", "/prove", "/logout"):
        told = await ada.http.post(
            path,
            headers=headers | {"Content-Type": "application/x-www-form-urlencoded"},
            content=b"email=a&password=b&code=c",
        )
        assert told.status_code == 403, path
    assert (await ada.get("/api/v1/me")).json()["name"] == ""


async def test_a_script_without_fetch_metadata_names_its_origin(ada: Browser) -> None:
    """Plain HTTP to another machine: browsers leave Sec-Fetch-Site out."""
    headers = {
        "Cookie": f"{browsers.PLAIN_NAME}={ada.cookie}",
        "Origin": "http://127.0.0.1:8000",
        "X-Requested-With": "retinue",
    }
    told = await ada.http.post("/api/v1/datasets", headers=headers, json={"name": "kits"})
    assert told.status_code == 201


async def test_a_method_in_a_header_or_a_field_is_not_one(ada: Browser) -> None:
    headers = {"X-HTTP-Method-Override": "DELETE", "Sec-Fetch-Site": "cross-site"}
    told = await ada.get("/api/v1/me?_method=DELETE", headers=headers)
    assert told.status_code == 403
    assert (await ada.get("/api/v1/me")).status_code == 200


async def test_two_cookies_of_the_name_are_none(ada: Browser) -> None:
    planted = f"{browsers.PLAIN_NAME}={ada.cookie}; {browsers.PLAIN_NAME}=planted"
    assert (await ada.get("/api/v1/me", headers={"Cookie": planted})).status_code == 401
