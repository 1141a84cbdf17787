"""The gate: what it tells of rates, what it refuses before a body is read, and how it lives without Redis."""

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from limits import RateLimitItemPerMinute

from retinue import assembly
from retinue.accounts.access import Caller, Permission, permissions_in
from retinue.accounts.gate import OPEN, Gate, network_of
from retinue.accounts.rates import Rates
from retinue.base.settings import Settings
from retinue.web.problems import problem_of
from tests.accounts.people import Person, with_key
from tests.servers.valkey import OwnValkey


class TestRates:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"rate_limit": 5, "rate_burst": 4})

    async def test_are_told_with_every_answer(self, ada: Person) -> None:
        answer = await ada.get("/api/v1/me")
        assert answer.headers["RateLimit-Policy"] == '"minute";q=5;w=60, "burst";q=4;w=1'
        assert answer.headers["RateLimit"].startswith('"minute";r=4;t=')

    async def test_more_than_a_minute_allows_is_refused_until_it_is_over(self, ada: Person, bob: Person) -> None:
        statuses = []
        for _ in range(12):
            answer = await ada.get("/api/v1/me")
            statuses.append(answer.status_code)
        assert statuses.count(200) <= 5
        assert statuses[-1] == 429
        assert answer.json()["code"] == "too-many-requests"
        assert 1 <= int(answer.headers["Retry-After"]) <= 73
        assert answer.headers["RateLimit"].startswith('"minute";r=0')
        assert (await bob.get("/api/v1/me")).status_code == 200

    async def test_a_key_and_a_session_share_their_owners_rate(self, house: assembly.House, ada: Person) -> None:
        key = with_key(house, ada)
        first, second = await ada.get("/api/v1/me"), await key.get("/api/v1/me")
        assert [answer.headers["RateLimit"].split("r=")[1][0] for answer in (first, second)] == ["4", "3"]


class TestTogether:
    """Routes of the test's own, behind the real gate."""

    @pytest.fixture
    def doors(self, house: assembly.House) -> "Doors":
        return Doors(house)

    async def test_a_body_is_not_read_for_somebody_who_may_not_send_it(
        self, doors: "Doors", house: assembly.House, ada: Person
    ) -> None:
        narrow = with_key(house, ada, scopes=["credits:read"])
        for credential, status in (("", 401), ("nonsense", 401), (narrow.credential, 403)):
            assert await doors.status_without_body("POST", "/api/v1/predict", credential) == status

    async def test_as_many_at_once_as_the_settings_say(self, doors: "Doors", ada: Person, bob: Person) -> None:
        waiting = [asyncio.create_task(doors.ask("GET", "/api/v1/slow", ada.credential)) for _ in range(64)]
        async with asyncio.timeout(120):
            await doors.full.wait()
        refused = await doors.ask("GET", "/api/v1/slow", ada.credential)
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-at-once")
        assert refused.headers["Retry-After"] == "1"
        assert (await doors.ask("GET", "/api/v1/quick", bob.credential)).status_code == 200
        doors.open.set()
        assert {(await one).status_code for one in waiting} == {200}
        assert (await doors.ask("GET", "/api/v1/quick", ada.credential)).status_code == 200

    async def test_what_forgot_to_say_whom_it_serves_serves_nobody(self, doors: "Doors", ada: Person) -> None:
        assert (await doors.ask("GET", "/api/v1/forgotten", ada.credential)).status_code == 401

    async def test_other_pages_are_none_of_its_business(self, doors: "Doors") -> None:
        assert (await doors.ask("GET", "/elsewhere", "")).status_code == 200


class Doors:
    def __init__(self, house: assembly.House) -> None:
        self.inside = 0
        self.full = asyncio.Event()
        self.open = asyncio.Event()
        routes = APIRouter()

        @routes.get("/api/v1/slow")
        async def slow(caller: Caller) -> str:
            self.inside += 1
            if self.inside == house.settings.concurrent_requests:
                self.full.set()
            await self.open.wait()
            return caller.email

        @routes.get("/api/v1/quick")
        async def quick(caller: Caller) -> str:
            return caller.email

        @routes.get("/api/v1/forgotten")
        async def forgotten() -> str:
            return "secret"

        @routes.get("/elsewhere")
        async def elsewhere() -> str:
            return "page"

        app = FastAPI()
        routers = [routes, _predicting()]
        for router in routers:
            app.include_router(router)
        app.add_middleware(
            Gate,
            routers=routers,
            recognition=house.accounts.recognition,
            rates=house.accounts.rates,
            settings=house.settings,
            refuse=problem_of,
        )
        self.app = app
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1")

    async def ask(self, method: str, path: str, credential: str) -> httpx2.Response:
        return await self.http.request(method, path, headers={"Authorization": f"Bearer {credential}"})

    async def status_without_body(self, method: str, path: str, credential: str) -> int:
        """The body never comes, and asking for it fails the test."""
        sent: list[Any] = []

        async def receive() -> Any:
            raise AssertionError("the body was asked for")

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"authorization", f"Bearer {credential}".encode()), (b"content-type", b"application/json")]
        await self.app(
            {
                "type": "http",
                "method": method,
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "headers": headers,
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 80),
                "scheme": "http",
                "http_version": "1.1",
                "root_path": "",
            },
            receive,
            send,
        )
        return int(sent[0]["status"])


def _predicting() -> APIRouter:
    from typing import Annotated

    from retinue.accounts.access import Identity, may

    routes = APIRouter()

    @routes.post("/api/v1/predict")
    async def predict(body: dict[str, str], caller: Annotated[Identity, may("predict")]) -> str:
        return caller.email

    return routes


class TestOpenOperations:
    def test_are_only_those_that_exist_or_are_promised(self, house: assembly.House) -> None:
        """Every operation says whom it serves, or stands in the one list of open ones; never both."""
        from fastapi.routing import iter_route_contexts

        for route in iter_route_contexts(assembly.application(house).routes):
            path = route.path or ""
            if not path.startswith(("/api/v1/", "/v2/")) or not hasattr(route, "dependant"):
                continue
            asked: list[Permission] = list(permissions_in(route.dependant))
            for method in route.methods or ():
                assert bool(asked) != ((method, path) in OPEN), (method, path)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_customer_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


class TestOnRedis:
    LIMIT = RateLimitItemPerMinute(3)

    async def test_nodes_count_together(self, redis_url: str, redis_prefix: str) -> None:
        nodes = [Rates(redis_url, prefix=redis_prefix) for _ in range(2)]
        taken = [(await nodes[turn % 2].take(self.LIMIT, "user", "ada")) for turn in range(4)]
        assert [standing.is_within for standing in taken] == [True, True, True, False]
        assert await nodes[0].count("guess", expires_in_s=60) == 1
        assert await nodes[1].count("guess", expires_in_s=60) == 2
        assert 50 < await nodes[0].expires_in_s("guess") <= 60
        await nodes[1].forget("guess")
        assert await nodes[0].counted("guess") == 0
        for node in nodes:
            await node.close()

    async def test_without_it_each_node_still_limits(self, own_valkey_server: OwnValkey) -> None:
        rates = Rates(own_valkey_server.url, prefix="test")
        assert (await rates.take(self.LIMIT, "user", "ada")).left == 2
        own_valkey_server.kill()
        taken = [(await rates.take(self.LIMIT, "user", "ada")) for _ in range(4)]
        assert [standing.is_within for standing in taken] == [True, True, True, False]
        await rates.close()
