"""What the OpenAPI document allows and what it forbids, from anybody: never answered with 5xx, refused in words."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode

from retinue import assembly
from retinue.base.settings import Settings
from tests.client.served import Served, serving

EXAMPLES = 4
# They end the session that asks, or stay open for as long as somebody listens.
LEFT_OUT = {
    "DELETE /api/v1/me",
    "DELETE /api/v1/sessions",
    "GET /api/v1/inferences/{inference_id}/events",
}
PROBLEM = {"type", "title", "status", "detail", "instance", "code"}


@pytest.fixture
def server(settings: Settings) -> Iterator[Served]:
    with serving(settings) as served:
        yield served


@pytest.mark.slow
@pytest.mark.parametrize("who", ["anonymous", "user", "admin"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_is_answered_with_5xx(server: Served, who: str) -> None:
    headers = {} if who == "anonymous" else {"Authorization": f"Bearer {server.key('a@example.com', role=who)}"}  # type: ignore[arg-type]
    schema = schemathesis.openapi.from_dict(assembly.application(server.house).openapi())
    wrong: list[str] = []
    asked = 0

    def ask(case: Case) -> None:
        nonlocal asked
        asked += 1
        answer = case.call(base_url=server.address, headers=headers, timeout=240)
        if complaint := complaint_about(answer):
            wrong.append(f"{case.method} {case.path}: {complaint}; asked by {case.as_curl_command()[:500]}")

    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.label not in LEFT_OUT:
            for mode in GenerationMode:
                try_some(operation, mode, ask)
    assert wrong == []
    assert asked > 200


def try_some(operation: Any, mode: GenerationMode, ask: Callable[[Case], None]) -> None:
    """Few examples, the same ones in every run; where nothing can be wrong there is no negative one."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def run(case: Case) -> None:
        ask(case)

    with suppress(Unsatisfiable):  # an operation without parameters cannot be asked wrongly
        run()


def complaint_about(answer: Any) -> str | None:
    if answer.status_code >= 500:
        return f"{answer.status_code} {answer.text[:300]}"
    if answer.status_code >= 400 and answer.request.method != "HEAD" and not answer.json().keys() >= PROBLEM:
        return f"no problem document: {answer.text[:300]}"
    return None
