"""The dashboard and the alarms ask for what the server tells: no name and no label that is not there."""

import json
import re
from pathlib import Path

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.accounts.people import add_person
from tests.pictures import drawn

DEPLOY = Path(__file__).parents[2] / "deploy"
LABEL = re.compile(r'(\w+)\s*[!=]~?"')
PROMETHEUS_OWN = {"le", "instance", "job"}


def dashboard() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "retinue.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def alarms() -> list[dict[str, object]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return list(group["rules"])


QUESTIONS = dashboard() + [str(alarm["expr"]) for alarm in alarms()]


@pytest.fixture
async def told(house, http: httpx2.AsyncClient) -> dict[str, set[str]]:
    """Every name that /metrics tells, with its labels as far as it has been counted."""
    person = add_person(house, http, "ann@example.com")
    answer = await person.post("/api/v1/predict", files={"file": drawn(1)})
    assert answer.status_code == 200
    text = (await http.get("/metrics")).text
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for ending in {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",)):
            names.setdefault(family.name + ending, set())
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_metric_asked_for_is_told(told: dict[str, set[str]]) -> None:
    asked = {name for question in QUESTIONS for name in re.findall(r"\bretinue_\w+", question)}
    assert asked <= told.keys()
    assert {name for name in told if not name.endswith(("_created", "_sum", "_count"))} <= asked, (
        "nobody looks at these"
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_label_asked_for_is_told(told: dict[str, set[str]]) -> None:
    for question in QUESTIONS:
        grouped = {name.strip() for group in re.findall(r"by \(([^)]*)\)", question) for name in group.split(",")}
        asked = (grouped | set(LABEL.findall(question))) - PROMETHEUS_OWN
        counted = set[str]().union(*(told[name] for name in re.findall(r"\bretinue_\w+", question)))
        assert not counted or asked <= counted, question


@pytest.mark.parametrize("alarm", alarms(), ids=lambda alarm: str(alarm["alert"]))
def test_an_alarm_says_what_to_do(alarm) -> None:
    assert alarm["labels"]["severity"] in {"warning", "critical"}
    assert {"summary", "description"} == alarm["annotations"].keys()
    assert alarm["expr"].count("(") == alarm["expr"].count(")")
