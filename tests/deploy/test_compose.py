"""The image and the Compose file without an engine: commands, settings, routes and waiting are held against us."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from retinue.base.settings import Settings
from retinue.cli.main import app

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
ROUTES = json.loads((DEPLOY.parent / "docs" / "openapi.json").read_text("utf-8"))["paths"]
SETTINGS = {f"RETINUE_{name.upper()}" for name in Settings.model_fields}


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return told


@pytest.fixture(scope="module")
def services(composed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = composed["services"]
    return told


@pytest.fixture(scope="module")
def ours(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: told for name, told in services.items() if told["image"] == "retinue"}


def is_a_command(words: list[str]) -> None:
    app.parse_args(words, exit_on_error=False, print_error=False)


def test_the_image_starts_what_exists_and_asks_what_answers() -> None:
    (command,) = re.findall(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    program, *words = json.loads(command)
    assert program == "retinue"
    is_a_command(words)
    assert set(re.findall(r"\b(RETINUE_\w+)=", DOCKERFILE)) <= SETTINGS
    (asked,) = re.findall(r"127\.0\.0\.1:8000(/[\w/]+)", DOCKERFILE)
    assert asked in ROUTES
    assert re.search(r"^USER retinue$", DOCKERFILE, re.MULTILINE)


def test_commands_are_ours(ours: dict[str, dict[str, Any]]) -> None:
    assert set(ours) == {"single", "migrate", "api", "worker"}
    for told in ours.values():
        command = told.get("command", ["retinue", "up"])
        words = command if command[0] == "retinue" else command[-1].split(";")[-1].split()
        assert words[0] == "retinue"
        is_a_command([str(word) for word in words[1:]])


def test_settings_are_ours(ours: dict[str, dict[str, Any]]) -> None:
    for told in ours.values():
        named = {name for name in told.get("environment", {}) if name.startswith("RETINUE_")}
        assert named <= SETTINGS


def test_whoever_waits_waits_for_what_can_come(services: dict[str, dict[str, Any]]) -> None:
    for name, told in services.items():
        waits = told.get("depends_on", {})
        for other in waits:
            assert set(told["profiles"]) <= set(services[other]["profiles"]), (name, other)
            condition = waits[other]["condition"] if isinstance(waits, dict) else "service_started"
            if condition == "service_healthy":
                assert services[other]["healthcheck"]["test"], other
            if condition == "service_completed_successfully":
                assert services[other]["restart"] == "no", other


def test_each_profile_is_whole_and_nothing_asks_for_a_volume_that_is_not_there(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert {profile for told in services.values() for profile in told["profiles"]} == {"single", "scale"}
    for told in services.values():
        for volume in told.get("volumes", []):
            source, _, target = volume.rpartition(":") if volume.count(":") == 1 else volume.partition(":")
            if source.startswith("./"):
                assert (DEPLOY / source).is_file()
            elif source and not source.startswith("/"):
                assert source in composed["volumes"], (source, target)


def test_ours_may_do_little(ours: dict[str, dict[str, Any]]) -> None:
    for told in ours.values():
        assert told["read_only"] is True
        assert told["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in told["security_opt"]


def test_those_at_work_are_given_time_to_finish(ours: dict[str, dict[str, Any]]) -> None:
    assert all(ours[name]["stop_grace_period"] == "60s" for name in ("api", "worker"))


def test_the_proxy_asks_what_answers(services: dict[str, dict[str, Any]]) -> None:
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    assert re.findall(r"health_uri (\S+)", text) == ["/health/ready"]
    assert "/health/ready" in ROUTES
    assert set(re.findall(r"dynamic a (\w+) \d+", text)) <= set(services)
