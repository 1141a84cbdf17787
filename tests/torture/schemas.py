"""Schemathesis over a running server: every phase, as somebody, and what of its complaints is one."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import jsonschema_rs
import schemathesis
import sqlalchemy as sa
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from retinue import assembly
from retinue.accounts import sessions
from retinue.accounts.tables import Role, User
from retinue.base.database import Transaction
from tests.accounts.people import Person
from tests.client.served import Served

Who = Literal["anonymous", "user", "admin"]
PHASES = ("examples", "coverage", "fuzzing", "stateful")
PROBLEM = {"type", "title", "status", "detail", "instance", "code"}
# It stays open for as long as the inference runs: `tests/jobs` read it.
LEFT_OUT = "/api/v1/inferences/{inference_id}/events"
# Checks that are not asked, and why.
UNASKED = {
    "object_level_authorization": "It compares two people; tests/web/test_access_matrix.py does so everywhere.",
}
# What fits the document and is refused all the same: no schema can say it, because it lies in the house or in a file.
FITS_AND_IS_REFUSED = {
    "address-refused": "Which addresses may be told of is up to the network.",
    "bad-dataset-name": "No slash, and not a folder's own name.",
    "bad-cursor": "A cursor is one that this very list gave.",
    "bad-expiry": "What lies in the future changes.",
    "bad-facts": "The facts are the file's.",
    "bad-source": "Whether an address is one of a model is seen when it is asked.",
    "bad-split": "Three shares are not all nothing.",
    "bad-tensors": "The shapes are the model's.",
    "current-password-needed": "Whether a change needs it depends on what is changed.",
    "idempotency-key-reused": "What came under a key before.",
    "invalid-text": "NUL can be in an address, and in no database.",
    "mask-not-wanted": "Whether a mask is wanted is up to the model.",
    "model-cannot-check": "Whether a model finds things is up to the model.",
    "not-enough-credits": "Whether somebody can pay.",
    "no-heat-map": "Whether there is one is up to the model.",
    "no-places": "Whether an answer has places is up to its task.",
    "no-such-class": "The classes are the model's.",
    "not-a-model": "What a file is, it says itself.",
    "not-a-picture": "What a file is, it says itself.",
    "not-an-archive": "What a file is, it says itself.",
    "nothing-to-correct": "Whether a verdict corrects anything.",
    "nothing-to-do": "Whether a dataset holds something.",
    "too-slow": "A crowded machine may read a body slowly.",
    "unknown-class": "The classes are the model's.",
    "upload-too-large": "How much was announced.",
    "weak-password": "How easy it is to guess.",
}


@dataclass
class Found:
    asked: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


def search(server: Served, who: Who, *, examples: int, seed: int) -> Found:
    """Everything that any phase complains of; of one kind at one operation, once."""
    found = Found()
    complaints: dict[tuple[str, str, str], str] = {}
    for event in from_schema(_schema_for(server, who, examples=examples, seed=seed)).execute():
        if isinstance(event, events.NonFatalError):
            complaints[event.label, "error", ""] = f"{event.label}: {event.info.format()}"
        if isinstance(event, events.ScenarioFinished):
            found.asked[event.phase.value] += len(event.recorder.cases)
            for one, words in _complaints(event.recorder):
                complaints.setdefault(one, words)
    found.complaints = [*complaints.values()]
    return found


def _schema_for(server: Served, who: Who, *, examples: int, seed: int) -> Any:
    document = json.loads(json.dumps(assembly.application(server.house).openapi()))
    schema = schemathesis.openapi.from_dict(document, config=_config(server, examples=examples, seed=seed))
    if who != "anonymous":
        schema.auth(retry_on=[401])(_signing_in(server, who))
    return schema.exclude(path=LEFT_OUT)


def _config(server: Served, *, examples: int, seed: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "base-url": server.address,
            "seed": seed,
            "continue-on-failure": True,
            "request-timeout": 300,  # a crowded machine is slow, which is not asked here
            "generation": {"max-examples": examples, "no-shrink": True, "database": "none"},
            "phases": {phase: {"enabled": True} for phase in PHASES},
            "checks": {
                **{name: {"enabled": False} for name in UNASKED},
                # 402 and 413 refuse too: what is wrong with a request may be that it costs, or holds, too much.
                "negative_data_rejection": {"expected-statuses": ["4xx", "5xx"]},
            },
        }
    )


def _signing_in(server: Served, role: Role) -> type:
    """Signs in anew when an operation has ended the session; as somebody else when it has deleted the person."""

    class SigningIn:
        person: Person | None = None
        people = 0

        def get(self, case: Case, context: Any) -> str:
            house = server.house
            if self.person is None or not house.database.read_now(lambda now: _is_still(now, self.person, role)):
                SigningIn.people += 1
                self.person = server.person(f"{role}-{self.people}@example.com", role=role)
            user = self.person.user
            begun = house.database.write_now(
                lambda now: sessions.begin(now, user, address="127.0.0.1", agent="schemathesis")
            )
            return house.accounts.tokens.issue(user.id, begun.session_id)

        def set(self, case: Case, data: str, context: Any) -> None:
            case.headers["Authorization"] = f"Bearer {data}"

    return SigningIn


def _is_still(now: Transaction, person: Person | None, role: Role) -> bool:
    assert person is not None
    user = now.first(sa.select(User).where(User.id == person.user.id))
    return user is not None and user.may_sign_in and user.role == role


def _complaints(recorder: Any) -> Iterator[tuple[tuple[str, str, str], str]]:
    for case_id, checks in recorder.checks.items():
        interaction = recorder.interactions.get(case_id)
        response = interaction and interaction.response
        for check in checks:
            case = recorder.cases[case_id].value
            if check.failure_info is None or _is_right(check.name, case, response):
                continue
            failure = check.failure_info.failure
            about = getattr(case.meta.phase.data, "description", None) or "" if case.meta else ""
            told = response.content[:300] if response else b""
            words = f"{failure.title}: {failure.message}\n{check.failure_info.code_sample[:600]}\n{told!r}"
            yield (check.name, case.operation.label, about), f"{check.name} {case.operation.label} {about}: {words}"


def _is_right(check: str, case: Case, response: Any) -> bool:
    if check == "not_a_server_error":  # a crowded machine is busy, and says when to come back
        return response is not None and response.status_code == 503 and "retry-after" in response.headers
    if check == "positive_data_acceptance" and response is not None:
        return json.loads(response.content).get("code") in FITS_AND_IS_REFUSED
    return check == "negative_data_rejection" and case.media_type == "multipart/form-data" and _is_spelled_right(case)


def _is_spelled_right(case: Case) -> bool:
    """A form has no booleans, and `0` is one of the ways to write false."""
    wrong = (
        {place.value for place, part in case.meta.components.items() if part.mode.is_negative} if case.meta else set()
    )
    if wrong != {"body"} or case.media_type is None or not isinstance(case.body, dict):
        return False
    schema = case.operation.get_body_for_media_type(case.media_type).optimized_schema
    read = {name: _as_read(told) for name, told in case.body.items()}
    return jsonschema_rs.Draft202012Validator(schema).is_valid(read)


def _as_read(told: Any) -> Any:
    if isinstance(told, list):
        return [_as_read(one) for one in told]
    if isinstance(told, int) and told in {0, 1}:
        return bool(told)
    return told if told is None or type(told) in {str, bool, int, float, dict} else ""  # the bytes of a file


@schemathesis.check
def refusals_are_problems(ctx: Any, response: Any, case: Case) -> None:
    """Every refusal is a problem document, whatever was asked of whatever address."""
    if response.status_code >= 400 and response.request.method != "HEAD":
        told = json.loads(response.content)
        assert told.keys() >= PROBLEM, f"no problem document: {response.content[:300]!r}"


schemathesis.openapi.format("ipvanynetwork", st.ip_addresses().map(lambda one: f"{one}/{one.max_prefixlen}"))
