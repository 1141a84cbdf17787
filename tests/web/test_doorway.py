"""What every answer has, and how refusals look, whatever was asked."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from retinue import assembly
from tests.web.answers import assert_problem


class TestEveryAnswer:
    async def test_has_an_id_that_may_be_given(self, http: httpx2.AsyncClient) -> None:
        given = await http.get("/health", headers={"X-Request-Id": "from-the-proxy.7"})
        assert given.headers["x-request-id"] == "from-the-proxy.7"
        odd = await http.get("/health", headers={"X-Request-Id": "evil\tid"})
        assert odd.headers["x-request-id"] != "evil\tid"

    @pytest.mark.parametrize("path", ["/health", "/api/v1/nowhere", "/api/v1/me", "/docs", "/openapi.json"])
    async def test_has_safe_headers(self, http: httpx2.AsyncClient, path: str) -> None:
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "known"),
        [
            ("/api/v1/datasets", "GET, POST"),
            ("/api/v1/webhooks/one", "DELETE, GET, PATCH"),
            ("/api/v1/webhooks/secret", "GET"),
        ],
    )
    async def test_a_method_that_is_not_there_names_those_that_are(
        self, http: httpx2.AsyncClient, path: str, known: str
    ) -> None:
        refused = await http.put(path)
        assert_problem(refused, 405)
        assert refused.headers["allow"] == known

    async def test_no_route(self, http: httpx2.AsyncClient) -> None:
        assert_problem(await http.get("/api/v1/nowhere"), 404)
        assert_problem(await http.get("/nowhere"), 404)

    async def test_no_such_method(self, http: httpx2.AsyncClient) -> None:
        answer = await http.delete("/health")
        assert_problem(answer, 405)
        assert "GET" in answer.headers["allow"]

    async def test_not_signed_in(self, http: httpx2.AsyncClient) -> None:
        answer = await http.get("/api/v1/me")
        assert_problem(answer, 401, code="not-signed-in")
        assert answer.headers["www-authenticate"].startswith("Bearer")

    async def test_a_strange_host(self, http: httpx2.AsyncClient) -> None:
        assert_problem(await http.get("/health", headers={"Host": "evil.example"}), 400)
        assert (await http.get("/health", headers={"Host": "10.1.2.3:8000"})).status_code == 200

    @pytest.mark.parametrize(
        "body", [b"{", b"[" * 100_000, b'{"email": ' * 50_000, b"\xff\xfe", b'{"email": NaN}'], ids=range(5)
    )
    async def test_broken_json(self, http: httpx2.AsyncClient, body: bytes) -> None:
        answer = await http.post("/api/v1/sessions", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}
        assert_problem(answer, answer.status_code)

    @pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "x" * 20_000])
    async def test_text_that_cannot_be_stored(self, http: httpx2.AsyncClient, text: str) -> None:
        body = f'{{"email": "a@example.com", "password": "marmalade-tractor", "name": "{text}", "surname": "x"}}'
        answer = await http.post("/api/v1/users", content=body, headers={"Content-Type": "application/json"})
        assert_problem(answer, 422)

    async def test_a_compressed_body(self, http: httpx2.AsyncClient) -> None:
        answer = await http.post("/api/v1/sessions", content=b"x", headers={"Content-Encoding": "gzip"})
        assert_problem(answer, 415)

    async def test_a_failure_of_ours_says_nothing_of_it(
        self, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retinue.web.health.Health.is_ready", _broken)
        answer = await http.get("/health/ready")
        assert_problem(answer, 500, code="internal-error")
        assert "secret" not in answer.text


async def _broken(*_: object) -> None:
    raise RuntimeError("/secret/path")


class TestBodies:
    async def test_too_long_by_its_own_word(self, http: httpx2.AsyncClient) -> None:
        answer = await http.post("/api/v1/sessions", content=b"x" * (1 << 20) + b"x")
        assert_problem(answer, 413)

    async def test_too_long_without_saying_so(self, http: httpx2.AsyncClient) -> None:
        async def endless() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"x" * 65536

        answer = await http.post("/api/v1/sessions", content=endless(), headers={"Content-Type": "application/json"})
        assert_problem(answer, 413)

    async def test_too_many_parts(self, http: httpx2.AsyncClient) -> None:
        part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
        body = part * 3000 + b"--b--\r\n"
        answer = await http.post(
            "/api/v1/token", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert_problem(answer, 400)


class TestHealth:
    async def test_each_part_is_named(self, http: httpx2.AsyncClient) -> None:
        told = (await http.get("/health")).json()
        assert told["status"] == "ok"
        assert (told["database"], told["storage"]) == ("ok", "ok")

    async def test_a_needed_part_that_is_away_makes_it_not_ready(
        self, house: assembly.House, http: httpx2.AsyncClient
    ) -> None:
        house.health.checks["storage"] = _broken
        house.health._seen_at = float("-inf")
        assert (await http.get("/health/ready")).status_code == 503
        assert (await http.get("/health/live")).status_code == 200

    async def test_a_check_that_hangs_is_not_waited_for(
        self, house: assembly.House, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("retinue.web.health.PATIENCE_S", 0.05)
        house.health.checks["storage"] = lambda: asyncio.sleep(60)
        house.health._seen_at = float("-inf")
        async with asyncio.timeout(30):
            assert (await http.get("/health/ready")).status_code == 503

    async def test_draining_is_said(self, house: assembly.House, http: httpx2.AsyncClient) -> None:
        house.health.draining = True
        assert (await http.get("/health")).json()["status"] == "draining"
        assert (await http.get("/health/ready")).status_code == 503


class TestMetrics:
    async def test_they_count_by_route_and_not_by_path(self, http: httpx2.AsyncClient) -> None:
        for n in range(50):
            await http.get(f"/api/v1/strange/{n}")
        told = (await http.get("/metrics")).text
        assert 'route="unmatched",status="401"' in told or 'route="unmatched",status="404"' in told
        assert "strange" not in told

    async def test_they_are_for_this_machine(self, house: assembly.House) -> None:
        app = assembly.application(house)
        far = httpx2.ASGITransport(app, client=("203.0.113.9", 1234))
        async with httpx2.AsyncClient(transport=far, base_url="http://127.0.0.1") as client:
            assert_problem(await client.get("/metrics"), 403)


class TestPagesOfOtherOrigins:
    async def test_may_send_every_header_that_an_operation_asks_for(self, house: assembly.House) -> None:
        house.settings = house.settings.model_copy(update={"cors_origins": ["https://shop.example"]})
        app = assembly.application(house)
        operations = [one for path in app.openapi()["paths"].values() for one in path.values()]
        asked = {told["name"] for one in operations for told in one.get("parameters", ()) if told["in"] == "header"}
        asked |= {"Authorization", "Content-Type", "Inference-Header-Content-Length", "Last-Event-ID", "Prefer"}
        assert {"X-Timeout-Ms", "Idempotency-Key"} < asked
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            for name in sorted(asked):
                told = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": name}
                answer = await http.options("/api/v1/predict", headers={"Origin": "https://shop.example", **told})
                assert answer.status_code == 200, name


class TestDocs:
    async def test_swagger_works_without_the_internet(self, http: httpx2.AsyncClient) -> None:
        page = await http.get("/docs")
        assert page.status_code == 200
        assert "http://" not in page.text.replace("http://127.0.0.1", "")
        assert "https://" not in page.text
        for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
            assert name in page.text
            assert (await http.get(f"/docs/swagger/{name}")).status_code == 200

    async def test_every_operation_describes_its_refusals(self, http: httpx2.AsyncClient) -> None:
        document = (await http.get("/openapi.json")).json()
        assert document["openapi"].startswith("3.1")
        for operations in document["paths"].values():
            for operation in operations.values():
                assert "application/problem+json" in operation["responses"]["default"]["content"]
