"""The Helm chart, rendered: commands, settings, probes and the scaler's question are those of this version."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import sqlalchemy as sa
import yaml

import retinue
from retinue.base.database import Database
from retinue.base.settings import Settings
from retinue.cli.main import app
from tests.deploy.rendering import Chart

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "retinue"
LEAST: dict[str, Any] = {"existingSecret": "retinue", "settings": {"RETINUE_STORAGE_URL": "s3://retinue/files"}}
EVERYTHING: dict[str, Any] = {
    **LEAST,
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"},
    "keda": {"enabled": True},
}
ROUTES = json.loads((CHART.parents[2] / "docs" / "openapi.json").read_text())["paths"]


@pytest.fixture(params=[LEAST, EVERYTHING], ids=["least", "everything"])
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return Chart(CHART, request.param).objects()


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for one in objects if one["kind"] in {"Deployment", "Job"}]


def containers(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {container["name"]: container for pod in pods(objects) for container in pod["containers"]}


def test_what_is_there() -> None:
    kinds = {(one["kind"], one["metadata"]["name"]) for one in Chart(CHART, EVERYTHING).objects()}
    assert kinds == {
        ("ConfigMap", "test-settings"),
        ("Job", "test-migrate"),
        ("Deployment", "test-api"),
        ("Deployment", "test-worker"),
        ("Service", "test"),
        ("PodDisruptionBudget", "test-api"),
        ("Ingress", "test"),
        ("TriggerAuthentication", "test-database"),
        ("ScaledObject", "test-worker"),
    }
    assert {one["kind"] for one in Chart(CHART, LEAST).objects()}.isdisjoint({"Ingress", "ScaledObject"})


def test_commands_are_ours(objects: list[dict[str, Any]]) -> None:
    told = {name: container["command"] for name, container in containers(objects).items()}
    assert set(told) == {"api", "worker", "migrate"}
    for program, *words in told.values():
        assert program == "retinue"
        app.parse_args(words, exit_on_error=False, print_error=False)


def test_pods_may_do_little(objects: list[dict[str, Any]]) -> None:
    assert all(pod["securityContext"]["runAsNonRoot"] for pod in pods(objects))
    assert not any(pod["automountServiceAccountToken"] for pod in pods(objects))
    for container in containers(objects).values():
        guarded = container["securityContext"]
        assert guarded["readOnlyRootFilesystem"] is True
        assert guarded["allowPrivilegeEscalation"] is False
        assert guarded["capabilities"] == {"drop": ["ALL"]}
        assert {"/data", "/tmp"} == {mount["mountPath"] for mount in container["volumeMounts"]}


def test_probes_ask_routes_that_exist(objects: list[dict[str, Any]]) -> None:
    api = containers(objects)["api"]
    paths = {probe: api[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert set(paths.values()) <= set(ROUTES)
    assert paths["readinessProbe"] == "/health/ready"


def test_services_find_their_pods(objects: list[dict[str, Any]]) -> None:
    (service,) = [one for one in objects if one["kind"] == "Service"]
    wanted = service["spec"]["selector"].items()
    found = [one for one in objects if one["kind"] == "Deployment" and wanted <= labels_of_pods(one).items()]
    assert [one["metadata"]["name"] for one in found] == ["test-api"]
    for one in objects:
        if one["kind"] == "Deployment":
            assert one["spec"]["selector"]["matchLabels"].items() <= labels_of_pods(one).items()


def labels_of_pods(deployment: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


def test_settings_are_ours_and_no_secret_is_among_them(objects: list[dict[str, Any]]) -> None:
    (settings,) = [one["data"] for one in objects if one["kind"] == "ConfigMap"]
    known = {f"RETINUE_{name.upper()}": str(field.annotation) for name, field in Settings.model_fields.items()}
    assert set(settings) <= {name for name, kind in known.items() if "Secret" not in kind}
    assert all(isinstance(told, str) and told for told in settings.values())


def test_the_schema_takes_what_works_and_refuses_what_cannot() -> None:
    schema = jsonschema_rs.validator_for(json.loads((CHART / "values.schema.json").read_text()))
    for values in (LEAST, EVERYTHING):
        assert schema.is_valid(Chart(CHART, values).values)
    for wrong in (
        {},
        {**LEAST, "existingSecret": ""},
        {**LEAST, "settings": {"RETINUE_STORAGE_URL": "/a/folder"}},
        {**LEAST, "api": {"replicas": 0}},
        {**LEAST, "worker": {"pool": "tpu"}},
        {**LEAST, "wroker": {}},
    ):
        assert not schema.is_valid(Chart(CHART, wrong).values), wrong


def test_the_chart_is_of_this_version() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (retinue.__version__, retinue.__version__)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_scaler_asks_what_the_database_can_answer(database_url: str) -> None:
    (scaler,) = [one for one in Chart(CHART, EVERYTHING).objects() if one["kind"] == "ScaledObject"]
    query = scaler["spec"]["triggers"][0]["metadata"]["query"]
    database = Database(database_url)
    try:
        assert database.read_now(lambda now: now.value(sa.text(query))) == 0
    finally:
        database.close()


def test_the_service_file_starts_what_exists() -> None:
    text = (CHART.parents[1] / "retinue.service").read_text()
    (command,) = re.findall(r"^ExecStart=\S+/retinue (.+)$", text, re.MULTILINE)
    app.parse_args(command, exit_on_error=False, print_error=False)
    assert set(re.findall(r"^Environment=RETINUE_(\w+)=", text, re.MULTILINE)) <= {
        name.upper() for name in Settings.model_fields
    }
