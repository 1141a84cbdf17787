"""What the OpenAPI document allows is taken, what it forbids is refused in words, and every answer is as it says."""

import os
from collections.abc import Iterator

import pytest

from retinue.accounts import gate
from retinue.base.fetching import Fetcher
from retinue.base.settings import Settings
from tests.client.served import Served, serving
from tests.torture.report import Figure, note
from tests.torture.schemas import PHASES, Who, search

# Of each operation in the phases that draw them; `make torture` asks for more, and again with other seeds.
EXAMPLES = int(os.environ.get("RETINUE_SCHEMA_EXAMPLES", "2"))
SEEDS = int(os.environ.get("RETINUE_SCHEMA_SEEDS", "1"))


async def nowhere(host: str, port: int) -> list[str]:
    """No webhook and no model of these examples may reach anybody."""
    raise OSError(f"{host} is not known here")


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(gate, "BY_ADDRESS", {})  # one address signs up and in more often than anybody may
    assert Fetcher.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(Fetcher.__init__.__kwdefaults__, "resolver", nowhere)
    endless = {"rate_limit": 10_000_000, "rate_burst": 1_000_000}
    with serving(settings.model_copy(update=endless)) as served:
        yield served


@pytest.mark.slow
@pytest.mark.parametrize("who", ["anonymous", "user", "admin"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_schemathesis_finds_nothing(server: Served, who: Who) -> None:
    complaints, asked = [], 0
    for seed in range(SEEDS):
        found = search(server, who, examples=EXAMPLES, seed=seed)
        complaints += found.complaints
        asked += found.asked.total()
        assert {phase for phase in PHASES if found.asked[phase]} == set(PHASES)
    note(
        Figure(
            f"What the OpenAPI document says, asked as {who}",
            f"{SEEDS} seeds, {EXAMPLES} examples of each operation, all phases: {asked} requests",
            f"{len(complaints)} complaints",
        )
    )
    assert complaints == [], "\n\n".join(complaints)
    assert asked > 3000
