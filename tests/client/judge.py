"""The OpenAPI document as the judge of a client: a transport that lets through only what the document describes."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text("utf-8"))


class NotAsDescribed(AssertionError):
    """The client or the server did what the document does not say."""


@dataclass
class Judge:
    """Notes which operations were asked, and that both sides kept to the document."""

    asked: list[str] = field(default_factory=list)

    def judge(self, request: httpx2.Request, body: bytes, response: httpx2.Response, told: bytes | None) -> None:
        name, operation, method = _operation_of(request)
        self.asked.append(name)
        try:
            _judge_request(request, body, operation)
            _judge_response(response, told, operation)
        except (AssertionError, jsonschema_rs.ValidationError, ValueError) as wrong:
            raise NotAsDescribed(f"{method} {request.url.path} ({name}): {wrong}") from wrong


class Judged(httpx2.HTTPTransport):
    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge = judge

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        response = super().handle_request(request)
        self.judge.judge(request, body, response, response.read() if _is_whole(response) else None)
        return response


class JudgedLater(httpx2.AsyncHTTPTransport):
    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge = judge

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        response = await super().handle_async_request(request)
        self.judge.judge(request, body, response, await response.aread() if _is_whole(response) else None)
        return response


def _is_whole(response: httpx2.Response) -> bool:
    """A JSON document; what is streamed stays a stream."""
    kind = response.headers.get("content-type", "").split(";")[0]
    return response.status_code != 204 and (kind == "application/json" or kind.endswith("+json"))


def _operation_of(request: httpx2.Request) -> tuple[str, dict[str, Any], str]:
    path, method = request.url.raw_path.decode().split("?")[0], request.method.lower()
    for template, operations in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) and method in operations:
            return operations[method]["operationId"], operations[method], request.method
    raise NotAsDescribed(f"there is no {request.method} {path}")


def _judge_request(request: httpx2.Request, body: bytes, operation: dict[str, Any]) -> None:
    known = {(one["in"], one["name"].lower()): one for one in operation.get("parameters", [])}
    for name, value in request.url.params.multi_items():
        assert ("query", name) in known, f"no parameter {name}"
        _check_text(value, known["query", name]["schema"])
    for (where, name), one in known.items():
        assert not (one.get("required") and where == "header") or name in request.headers, f"{name} is missing"
    spends = ("header", "idempotency-key") in known
    is_dry = b'"dry_run":true' in body or b'"dry_run": true' in body
    assert not spends or is_dry or "idempotency-key" in request.headers, "spends without an Idempotency-Key"
    described = operation.get("requestBody", {}).get("content", {})
    kind = request.headers.get("content-type", "").split(";")[0]
    if not body and not described:
        return
    assert kind in described, f"a body of {kind or 'no kind'}; there are {sorted(described)}"
    if kind == "application/json":
        _check(json.loads(body), described[kind]["schema"])
    elif kind == "multipart/form-data":
        properties = described[kind]["schema"]["properties"]
        for name, value in _fields(request, body):
            assert name in properties, f"no form field {name}"
            if value is not None:
                _check_text(value, properties[name])


def _judge_response(response: httpx2.Response, told: bytes | None, operation: dict[str, Any]) -> None:
    described = operation["responses"].get(str(response.status_code))
    if described is None:
        assert response.status_code >= 400, f"an undescribed {response.status_code}"
        described = operation["responses"]["default"]
    kind = response.headers.get("content-type", "").split(";")[0]
    content = described.get("content", {})
    if told is None:
        assert not content or kind in content or kind.split("/")[0] in {"image", "application"}, kind
        return
    assert kind in content, f"answered {kind}; there are {sorted(content)}"
    if schema := content[kind].get("schema"):
        _check(json.loads(told), schema)


def _check(value: Any, schema: dict[str, Any]) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)


def _check_text(value: str, schema: dict[str, Any]) -> None:
    """A form and a query know only text: it has to be good as some reading of it."""
    readings: list[Any] = [value]
    with suppress(ValueError):
        readings.append(json.loads(value))
    whole = {**schema, "components": DOCUMENT["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole)
    is_list = any(validator.is_valid([one]) for one in readings)
    assert is_list or any(validator.is_valid(one) for one in readings), f"{value!r} is not as {schema}"


def _fields(request: httpx2.Request, body: bytes) -> list[tuple[str, str | None]]:
    """Of a form: each part's name, and its text where it is not a file."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    found = []
    for one in message_from_bytes(head + body).get_payload():
        name = one.get_param("name", header="content-disposition")
        is_file = one.get_param("filename", header="content-disposition") is not None
        found.append((name, None if is_file else one.get_payload(decode=True).decode()))
    return found
