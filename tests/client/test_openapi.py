"""The OpenAPI document is the judge: every method of the SDK is called, every request and answer is held against it."""

import importlib
import inspect
import pkgutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retinue import client as client_package
from retinue.client import AsyncClient, Client, Conflict, Problem
from retinue.client.jobs import Job
from retinue.client.rooms import Room, Told, listing, operation
from tests.accounts.people import PASSWORD
from tests.client.judge import DOCUMENT, Judge, Judged
from tests.client.served import Served
from tests.corpus.archives import zipped
from tests.pictures import drawn, photograph
from tests.vision.exports import ultralytics
from tests.vision.exports.graphs import save

ENDS = datetime.now(UTC) + timedelta(days=1)


def methods_of(room: object) -> Iterator[str]:
    kind = type(room).__name__
    for name, found in inspect.getmembers_static(type(room)):
        if isinstance(found, operation | listing):
            yield f"{kind}.{name}"


def rooms_of(client: object) -> Iterator[Room[Any]]:
    assert isinstance(client, Room)
    yield client
    for part in vars(client).values():
        if isinstance(part, Room):
            yield from rooms_of(part)


class Caller:
    """Calls methods by their names, and remembers which."""

    def __init__(self) -> None:
        self.called: set[str] = set()

    def __call__(self, room: object, name: str, /, *told: Any, **more: Any) -> Any:
        self.called.add(f"{type(room).__name__}.{name}")
        answer = getattr(room, name)(*told, **more)
        return list(answer) if isinstance(answer, Iterator) else answer


def test_every_method_keeps_to_the_document(
    server: Served, judge: Judge, client: Client, admin: Client, tmp_path: Path
) -> None:
    call = Caller()
    email = "judged@example.com"
    with Client(server.address, transport=Judged(judge)) as stranger:
        a_person(call, stranger, email)
    pictures(call, client, tmp_path)
    a_dataset_and_a_job(call, client, tmp_path)
    tools_and_kits(call, admin, tmp_path)
    verdicts_and_news(call, client)
    an_admin(call, admin, email, tmp_path)
    every = {name for room in rooms_of(client) for name in methods_of(room)} | set(methods_of(Job(None, "")))  # type: ignore[arg-type]
    assert {name.replace("Client.", "Tree.") for name in every - call.called} == set()


def a_person(call: Caller, client: Client, email: str) -> None:
    call(client, "info")
    call(client.users, "register", email=email, password=PASSWORD, name="Jo", employee_number="77")
    with pytest.raises(Conflict):
        call(client.sessions, "set_up", "no-code-any-more", email="root2@example.com", password=PASSWORD)
    call(client.sessions, "log_in", email, PASSWORD)
    call(client.me, "get")
    assert call(client.me, "change", surname="Lee").surname == "Lee"
    key = call(client.keys, "make", "laptop", scopes=["predict"], expires_at=ENDS, networks=["127.0.0.0/8"])
    assert [one.id for one in call(client.keys, "list")] == [key.id]
    call(client.keys, "revoke", key.id)
    assert call(client.credits, "balance").available == 100
    assert [one.kind for one in call(client.credits, "transactions", kinds=["topup"])] == ["topup"]
    call(client.sessions, "log_out")
    client.sessions.log_in(email, PASSWORD)
    call(client.me, "delete")


def pictures(call: Caller, client: Client, folder: Path) -> None:
    told = {"method": "cam", "opacity": 0.3}
    seen = call(client, "predict", drawn(1), top_k=2, annotate=True, explain=told, cache=False)
    call(client, "predict_batch", [drawn(2), b"nothing"], confidence=0.4, iou=0.5)
    call(client, "predict_zip", zipped(("a.jpg", drawn(3))), model="toolbox")
    call(client.predictions, "get", seen.prediction_id)
    call(client.predictions, "annotated", seen.prediction_id)
    call(client.predictions, "replay", seen.prediction_id)
    found = call(client.predictions, "list", model="efficientnet-lite0", source="api", since=ENDS - timedelta(days=2))
    assert seen.prediction_id in {one.prediction_id for one in found}
    image = call(client.images, "get", seen.image_id)
    assert image.image_id in {one.image_id for one in call(client.images, "list")}
    call(client.media, "open", image.url)
    call(client.media, "save", seen.heatmap_url, folder / "heat.png")
    call(client.predictions, "delete", seen.prediction_id)
    call(client.models, "list")
    call(client.models, "get", "toolbox")
    call(client.models, "versions", "toolbox")
    call(client.models, "stats", "toolbox", "1")


def a_dataset_and_a_job(call: Caller, client: Client, folder: Path) -> None:
    made = call(client.datasets, "create", "kit", tags=["night"])
    call(client.datasets, "change", "kit", tags=["day"])
    assert [one.name for one in call(client.datasets, "list", tag="day")] == ["kit"]
    call(client.datasets, "add", "kit", drawn(1), group="left", dry_run=True)
    call(client.datasets, "add", "kit", drawn(1), group="left")
    archive = folder / "two.zip"
    archive.write_bytes(zipped(("a.jpg", drawn(2)), ("notes.txt", b"hello")))
    upload = call(client.uploads, "send", archive, piece_bytes=1000)
    assert call(client.uploads, "offset", upload.upload_id) == archive.stat().st_size
    assert call(client.datasets, "add_upload", "kit", upload.upload_id).report.skipped == ["notes.txt"]
    call(client.uploads, "drop", client.uploads.send(archive).upload_id)
    assert [one.group for one in call(client.datasets, "items", "kit")] == ["left", ""]
    call(client.datasets, "item", "kit", 0)
    call(client.datasets, "export", "kit", folder / "kit.zip", layout="coco", split="80/10/10", seed=1)
    told = ("predictions", "feedback")
    call(client.datasets, "export", "kit", folder / "told.zip", including=told, model="efficientnet-lite0", version="1")
    assert call(client.jobs, "price", "kit", parameters={"top_k": 1}).items == 2
    job = call(client.jobs, "start", "kit", parameters={"top_k": 1}, filter={"group": "left"}, priority=1)
    call(job, "status")
    assert call(job, "wait", patience_s=240).status == "COMPLETED"
    call(job, "get")
    assert [one.index for one in call(job, "results", follow=True)] == [0]
    assert (call(job, "failures"), call(job, "videos")) == ([], [])
    call(job, "download", folder / "out.zip", annotated=True)
    call(job, "coco")
    with pytest.raises(Problem):
        call(job, "retry")
    with pytest.raises(Conflict):
        call(job, "abort")
    assert [one.inference_id for one in call(client.jobs, "list")] == [job.id]
    call(client.datasets, "delete_item", "kit", 0)
    call(client.datasets, "delete", "kit")
    call(client.datasets, "restore", made.id)
    call(client.datasets, "get", "kit")


def tools_and_kits(call: Caller, admin: Client, folder: Path) -> None:
    tool = call(admin.tools, "add", "Torque wrench", serial_number="TW-1", category="wrenches", label="torque wrench")
    call(admin.tools, "change", tool.id, category="torque")
    assert call(admin.tools, "get", tool.id).category == "torque"
    assert [one.id for one in call(admin.tools, "list", q="torque")] == [tool.id]
    kit = call(admin.kits, "add", "Wheel kit", items={tool.id: 1}, model="toolbox", description="for wheels")
    call(admin.kits, "change", kit.id, items=[tool.id])
    call(admin.kits, "set_picture", kit.id, drawn(8))
    assert [one.id for one in call(admin.kits, "list", q="wheel", out=False)] == [kit.id]
    checked = call(admin.kits, "check", kit.id, drawn(9, width=320, height=320), confidence=0.9)
    assert ([one.name for one in checked.missing], checked.complete) == (["Torque wrench"], False)
    admin.admin.users.change(admin.me.get().id, employee_number="E-9")
    there = [{"tool_id": tool.id, "present": True, "comment": "in the drawer"}]
    out = call(
        admin.kits, "issue", kit.id, drawn(9), corrections=there, signed_by=["Jo"], employee_number="E-9", due_at=ENDS
    )
    assert (out.type, out.status, out.open) == ("issue", "overridden", True) or out.status == "complete", out
    assert call(admin.kits, "get", kit.id).out
    back = call(admin.kits, "take_back", kit.id, reason="late", place="crib 7")
    assert call(admin.loans, "get", back.id).issue_id == out.id
    assert {one.id for one in call(admin.loans, "list", kit_id=kit.id, type="return")} == {back.id}
    assert len(call(admin.tools, "history", tool.id)) == 2
    call(admin.kits, "delete", kit.id)
    call(admin.tools, "delete", tool.id)


def verdicts_and_news(call: Caller, client: Client) -> None:
    seen = client.predict(photograph("coffee"))
    call(client.feedback, "give", seen.prediction_id, correct=False, label="cup", comment="half empty")
    assert [one.label for one in call(client.feedback, "list", correct=False)] == ["cup"]
    assert [one.prediction_id for one in client.predictions.list(feedback="wrong")] == [seen.prediction_id]
    hook = call(client.webhooks, "add", "http://127.0.0.1:9999/hook", ["job.completed"])
    call(client.webhooks, "change", hook.id, events=["job.failed", "job.aborted"])
    assert call(client.webhooks, "get", hook.id).events == ["job.failed", "job.aborted"]
    assert call(client.webhooks, "renew_secret", hook.id).secret != hook.secret
    assert call(client.webhooks, "own_secret").secret
    sent = call(client.webhooks, "test", hook.id)
    assert [one.id for one in call(client.webhooks, "deliveries", hook.id)] == [sent.id]
    until_tried(client, hook.id)
    assert call(client.webhooks, "resend", hook.id, sent.id).id == sent.id
    assert [one.id for one in call(client.webhooks, "all_deliveries")] == [sent.id]
    assert [one.id for one in call(client.webhooks, "list")] == [hook.id]
    call(client.webhooks, "delete", hook.id)


def until_tried(client: Client, webhook_id: str) -> None:
    """Nobody listens there: the first try fails, and what is on its way cannot be sent again."""
    deadline = time.monotonic() + 120
    while any(one.state == "sending" or not one.attempts for one in client.webhooks.deliveries(webhook_id)):
        assert time.monotonic() < deadline, "it is never tried"
        time.sleep(0.05)


def an_admin(call: Caller, admin: Client, email: str, folder: Path) -> None:
    model = save(ultralytics.detector(), folder / "judged.onnx")
    assert call(admin.models, "add", model, name="judged", licence="MIT").version == "1"
    call(admin.models, "add_version", "judged", model)
    call(admin.models, "activate", "judged", "2", reason="newer")
    call(admin.models, "compare", "judged", "1", "2")
    call(admin.models, "roll_back", "judged", reason="too eager")
    admin.models.change("judged", shadow={"version": "2", "percent": 10})
    assert call(admin.models, "disagreements", "judged", version="2", judged=False) == []
    admin.models.change("judged", shadow=None, price=None)
    call(admin.models, "retire", "judged", "2")
    assert call(admin.models, "change", "judged", price=1.5, enabled=False).price == 1.5
    people = admin.admin.users
    person = call(people, "add", email="lender@example.com", password=PASSWORD, role="user", employee_number="5")
    call(people, "get", person.id)
    call(people, "change", person.id, role="operator", active=True, weight=2)
    assert [one.id for one in call(people, "list", q="lender@", role="operator")] == [person.id]
    call(people, "set_password", person.id, "another-marmalade-9")
    call(people, "end_sessions", person.id)
    assert call(people, "recharge", person.id, 12.5, reason="for the night shift").available == 112.5
    assert call(people, "credits", person.id).balance == 112.5
    call(admin.admin, "audit", action="credits.add")
    assert {one.key for one in call(admin.admin, "sums", "operation")}
    charge = next(one for one in call(admin.admin, "transactions") if one.kind == "charge")
    call(admin.admin, "refund", charge.id, amount=0.5, reason="blurred")
    assert call(admin.admin, "verify_ledger").ok
    call(admin.admin, "workers")
    assert "RETINUE_PORT" in {one.name for one in call(admin.admin, "settings")}
    assert call(admin.admin, "storage").store == "folder"
    call(admin.admin, "jobs", state="done")
    call(admin.admin, "datasets", include_deleted=True)
    call(people, "delete", person.id)


def shapes() -> Iterator[type[Told]]:
    for module in pkgutil.iter_modules(client_package.__path__, "retinue.client."):
        for found in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(found) and issubclass(found, Told) and found.__module__ == module.name:
                yield found


@pytest.mark.parametrize("shape", [one for one in shapes() if one.model_fields], ids=lambda one: one.__name__)
def test_a_shape_counts_on_nothing_that_the_document_does_not_promise(shape: type[Told]) -> None:
    """Some answer of the document has all of its fields, and always those that we need."""
    fields, needed = set(shape.model_fields), {name for name, one in shape.model_fields.items() if one.is_required()}
    described = DOCUMENT["components"]["schemas"].values()
    assert any(fields <= set(one.get("properties", ())) and needed <= set(one.get("required", ())) for one in described)


def test_both_clients_have_the_same_tree() -> None:
    now, later = (kind("http://127.0.0.1:1", key="k") for kind in (Client, AsyncClient))
    of_now, of_later = ({type(room).__name__ for room in rooms_of(one)} for one in (now, later))
    assert of_now - {"Client"} == of_later - {"AsyncClient"}
