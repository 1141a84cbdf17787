"""Networks run elsewhere give the answers of networks run here; whoever fails or has another model is not asked."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import numpy as np
import pytest

from retinue import assembly
from retinue.protocol.places import Places
from retinue.protocol.remote_eye import RemoteEye
from retinue.vision.asking import Asked, Explain
from retinue.vision.engine import Engine
from retinue.vision.errors import DeadlinePassed, EyeIsFull, ModelFailed
from retinue.vision.package import Package
from retinue.web.eye_app import listening
from tests.accounts.people import add_person
from tests.pictures import photograph
from tests.predictions.asking import credits_of, predict
from tests.protocol.foreign import foreign_server
from tests.protocol.speaking import arrays_of, send_pictures
from tests.vision.colour_models import colour_model, plain_picture

NOWHERE = "http://127.0.0.1:9"  # the port of “discard”, where nobody listens


@pytest.fixture
async def eye(builtin_models: Path) -> AsyncIterator[Engine]:
    async with Engine(cache=builtin_models, threads=2) as eye:
        yield eye


@pytest.fixture
def colours(tmp_path: Path) -> Package:
    return colour_model(tmp_path / "colours")


@asynccontextmanager
async def looking_at(urls: Sequence[str], cache: Path, *, token: str = "") -> AsyncIterator[Engine]:
    remote = RemoteEye(Places(urls), token=token, timeout_s=5.0)
    try:
        async with Engine(cache=cache, elsewhere=remote.session, shape=remote.shape) as far:
            yield far
    finally:
        remote.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestOurOwnWorkers:
    async def test_answer_as_the_eye_here_does(self, house: assembly.House, eye: Engine, builtin_models: Path) -> None:
        road = assembly._road(house, eye)
        asked = Asked(explain=Explain())
        here = await eye.predict("efficientnet-lite0", photograph("coffee"), asked=asked)
        async with listening(assembly.eye_application(house, road), host="127.0.0.1", port=0) as url:
            token = house.secrets.key("eye").hex()
            async with looking_at([url], builtin_models, token=token) as far:
                there = await far.predict("efficientnet-lite0", photograph("coffee"), asked=asked)
                boxes = await far.predict("toolbox", photograph("coffee"))
        assert there.result == here.result
        assert there.heat_map is not None
        assert here.heat_map is not None
        np.testing.assert_array_equal(there.heat_map.values, here.heat_map.values)
        assert boxes.result == (await eye.predict("toolbox", photograph("coffee"))).result

    async def test_look_for_a_whole_house_and_nobody_pays_twice(self, house: assembly.House, eye: Engine) -> None:
        lent = assembly.eye_application(house, assembly._road(house, eye))
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(listening(lent, host="127.0.0.1", port=0))
            front = assembly.open_house(house.settings.model_copy(update={"eye_url": [url]}))
            stack.callback(front.close)
            app = assembly.application(front)
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx2.ASGITransport(app)
            http = httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")
            ada = add_person(front, await stack.enter_async_context(http), "ada@example.com")
            assert (await predict(ada, photograph("coffee")))["predicted_class"] == "espresso"
            assert arrays_of(await send_pictures(ada, photograph("rocket")))["logits"].shape == (1, 1000)
            assert await credits_of(ada) == (94.5, 0.0)
        assert eye.state()["models"][0]["done"] >= 3  # the comparison, and the two that were asked

    async def test_serve_the_nodes_of_their_own_house_only(self, house: assembly.House, eye: Engine) -> None:
        road = assembly._road(house, eye)
        async with (
            listening(assembly.eye_application(house, road), host="127.0.0.1", port=0) as url,
            httpx2.AsyncClient(base_url=url) as stranger,
        ):
            assert (await stranger.get("/v2/health/ready")).status_code == 200
            refused = await stranger.post("/v2/models/toolbox/versions/1/infer", content=b"{}")
            assert (refused.status_code, bool(refused.json()["error"])) == (401, True)


class TestForeignServers:
    @pytest.mark.parametrize("reads_bytes", [True, False])
    async def test_are_asked_by_the_models_name_as_they_can_read(
        self, eye: Engine, colours: Package, builtin_models: Path, reads_bytes: bool
    ) -> None:
        async with (
            listening(
                foreign_server(eye, {"colours": colours}, reads_bytes=reads_bytes), host="127.0.0.1", port=0
            ) as url,
            looking_at([url], builtin_models) as far,
        ):
            for colour in ("red", "blue"):
                here = await eye.predict(colours, plain_picture(colour))
                assert (await far.predict(colours, plain_picture(colour))).result == here.result

    async def test_with_another_model_of_the_same_name_are_not_believed(
        self, eye: Engine, colours: Package, builtin_models: Path, tmp_path: Path
    ) -> None:
        other = colour_model(tmp_path / "other", broken=True)
        async with (
            listening(foreign_server(eye, {"colours": colours}), host="127.0.0.1", port=0) as right,
            listening(foreign_server(eye, {"colours": other}), host="127.0.0.1", port=0) as wrong,
        ):
            async with looking_at([wrong], builtin_models) as far:
                with pytest.raises(ModelFailed):
                    await far.predict(colours, plain_picture("red"))
            async with looking_at([wrong, right], builtin_models) as far:
                seen = await asyncio.gather(*(far.predict(colours, plain_picture("green")) for _ in range(12)))
        assert {one.result.top().label for one in seen} == {"green"}  # type: ignore[union-attr]


class TestFailing:
    async def test_who_dies_is_left_alone_and_nobody_notices(
        self, eye: Engine, colours: Package, builtin_models: Path
    ) -> None:
        app = foreign_server(eye, {"colours": colours})
        async with AsyncExitStack() as staying, AsyncExitStack() as going:
            stays = await staying.enter_async_context(listening(app, host="127.0.0.1", port=0))
            goes = await going.enter_async_context(listening(app, host="127.0.0.1", port=0))
            far = await staying.enter_async_context(looking_at([goes, stays], builtin_models))
            await asyncio.gather(*(far.predict(colours, plain_picture("red")) for _ in range(8)))
            await going.aclose()
            seen = await asyncio.gather(*(far.predict(colours, plain_picture("red")) for _ in range(24)))
        assert {one.result.top().label for one in seen} == {"red"}  # type: ignore[union-attr]

    async def test_where_nobody_is_the_caller_may_come_again(self, colours: Package, builtin_models: Path) -> None:
        async with looking_at([NOWHERE], builtin_models) as far:
            with pytest.raises(EyeIsFull):
                await far.predict(colours, plain_picture("red"))

    async def test_an_answer_that_comes_too_late_is_not_waited_for(
        self, eye: Engine, colours: Package, builtin_models: Path
    ) -> None:
        async with (
            listening(foreign_server(eye, {"colours": colours}), host="127.0.0.1", port=0) as url,
            looking_at([url], builtin_models) as far,
        ):
            await far.predict(colours, plain_picture("red"))
            with pytest.raises(DeadlinePassed):
                await far.predict(colours, plain_picture("red"), deadline=time.monotonic())
