"""A process that dies by SIGKILL after the receiver took a message and before that was written down."""

from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from tests.jobs.asking import until_over
from tests.jobs.datasets import drawn_pictures
from tests.jobs.yard import Yard, at, until_dead
from tests.webhooks.receiver import Receiver

HOOKS = "/api/v1/webhooks"
PATIENCE_S = 240  # the lease of the dead sender is among it


@pytest.mark.slow
async def test_the_same_message_comes_again(
    tmp_path: Path, database_url: str, builtin_models: Path, receiver: Receiver
) -> None:
    (tmp_path / "retinue.toml").write_text('webhook_allow = ["127.0.0.0/8"]\n')
    yard = Yard(tmp_path, database_url, builtin_models)
    try:
        ada = await yard.person("ada@example.com", drawn_pictures(1))
        node = yard.start("up", failpoints="after_webhook_sent=kill")
        async with at(node, ada) as person:
            hook = (await person.post(HOOKS, json={"url": receiver.url(), "events": ["job.completed"]})).json()
            begun = (await person.post("/api/v1/inferences", json={"dataset": "photos"})).json()
            await until_dead(node)
        await receiver.until(lambda: len(receiver.messages) == 1)
        async with at(yard.start("up"), ada) as person:
            await until_over(person, begun["inference_id"])
            await receiver.until(lambda: len(receiver.messages) == 2, patience_s=PATIENCE_S)
            first, second = receiver.messages
            assert (first.id, first.body) == (second.id, second.body)
            told = Verifier(hook["secret"]).verify(second.body, second.headers)
            assert told["data"]["inference_id"] == begun["inference_id"]
    finally:
        yard.close()
