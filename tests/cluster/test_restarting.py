"""Two API nodes, three workers, PostgreSQL, Valkey and S3: each is restarted under load, and the books are exact."""

import hashlib
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, cluster
from tests.cluster.traffic import Line, Traffic, traffic
from tests.corpus.archives import zipped
from tests.pictures import drawn

PICTURES = 48  # three chunks, one for each worker
PRICE = Decimal("2.75")


@pytest.fixture
def shaken(tmp_path: Path, builtin_models: Path) -> Iterator[Cluster]:
    with cluster(tmp_path, builtin_models, apis=2, workers=3) as built:
        yield built


@pytest.fixture
def line(shaken: Cluster) -> Iterator[Line]:
    line = Line(shaken.apis, shaken.key_of_somebody_rich("ann@example.com", amount=100_000))
    yield line
    line.close()


def a_dataset(line: Line) -> str:
    line.ask("POST", "/api/v1/datasets", json={"name": "photos"})
    archive = zipped(*((f"{n:03}.jpg", drawn(n)) for n in range(PICTURES)))
    line.ask("POST", "/api/v1/datasets/photos/items", files={"file": ("photos.zip", archive, "application/zip")})
    return "photos"


def balance(line: Line) -> Decimal:
    told = line.ask("GET", "/api/v1/me/credits")
    assert told["held"] == 0
    return Decimal(str(told["balance"]))


def shake(shaken: Cluster, flowing: Traffic) -> None:
    flowing.flows()
    shaken.apis[0].restart(with_signal=signal.SIGKILL)
    flowing.flows()
    shaken.restart_postgres()
    flowing.flows()
    shaken.restart_s3()
    flowing.flows()
    shaken.restart_valkey()
    flowing.flows()
    shaken.workers[0].restart(with_signal=signal.SIGKILL)
    shaken.apis[1].restart(with_signal=signal.SIGTERM)
    flowing.flows()


def is_readable(line: Line, picture: str, answer: dict[str, Any]) -> bool:
    kept = line.ask("GET", f"/api/v1/predictions/{answer['prediction_id']}")
    image = line.try_once("GET", kept["image_url"].removeprefix(line.nodes[0].address))
    return (
        image is not None
        and hashlib.sha256(image.content).hexdigest() == picture
        and all(kept[name] == answer[name] for name in ("predicted_class", "confidence_score", "cost"))
    )


@pytest.mark.slow
def test_each_kind_of_process_is_restarted_and_nothing_is_lost_or_paid_twice(shaken: Cluster, line: Line) -> None:
    dataset = a_dataset(line)
    before = balance(line)
    with traffic(shaken.apis, line.key, dataset=dataset, lookers=2) as flowing:
        shake(shaken, flowing)
    jobs, answers = flowing.foreman.jobs, flowing.answers

    assert {(job["status"], job["done"], job["failed"]) for job in jobs} == {("COMPLETED", PICTURES, 0)}
    assert {answer["cost"] for answer in answers.values()} == {float(PRICE)}
    assert before - balance(line) == PRICE * (len(answers) + PICTURES * len(jobs))
    unreadable = [picture for picture, answer in answers.items() if not is_readable(line, picture, answer)]
    assert unreadable == []
    assert "every hundredth is where it should be" in shaken.run("doctor")
