"""Every screen: what it is about, how that is made, and a name with a script in it in every field that takes words."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
import sqlalchemy as sa

from retinue import assembly
from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.catalog.tables import Model, Version
from retinue.datasets.tables import Item as DatasetItem
from retinue.predictions.tables import Prediction
from retinue.toolkits import kits, tools
from retinue.toolkits.kits import Item
from tests.jobs.asking import until_over
from tests.pictures import drawn
from tests.web.pages.browsing import Browser

SCRIPTED = "\"'><img src=x onerror=alert(1)>"  # in every name that a person or a file can set
Make = Callable[[assembly.House, Browser], Awaitable[str]]


async def plain(_house: assembly.House, _browser: Browser) -> str:
    return ""


async def a_prediction(_house: assembly.House, browser: Browser) -> str:
    told = await browser.post("/api/v1/predict", files={"file": (f"{SCRIPTED}.jpg", drawn(1))})
    prediction_id: str = told.json()["prediction_id"]
    return prediction_id


async def a_dataset(_house: assembly.House, browser: Browser) -> str:
    made = (await browser.post("/api/v1/datasets", json={"name": f"{SCRIPTED}{new_id()}", "tags": [SCRIPTED]})).json()
    path = f"/api/v1/datasets/{made['id']}/items"
    await browser.post(path, files={"file": (f"{SCRIPTED}.jpg", drawn(1))})
    dataset_id: str = made["id"]
    return dataset_id


async def a_job(house: assembly.House, browser: Browser) -> str:
    dataset_id = await a_dataset(house, browser)
    told = await browser.post("/api/v1/inferences", json={"dataset": dataset_id})
    inference_id: str = told.json()["inference_id"]
    return inference_id


async def the_person(_house: assembly.House, browser: Browser) -> str:
    await browser.ask("PATCH", "/api/v1/me", json={"name": SCRIPTED, "surname": SCRIPTED})
    given = {"amount": 1, "reason": SCRIPTED}
    answer = await browser.post(f"/api/v1/admin/users/{browser.user.id}/credits", json=given)
    assert answer.status_code == 200, answer.text
    return browser.user.id


async def a_key(_house: assembly.House, browser: Browser) -> str:
    answer = await browser.post("/api/v1/me/keys", json={"name": SCRIPTED})
    assert answer.status_code == 201, answer.text
    return ""


def a_model_in(now: Transaction) -> str:
    """A model that nobody asks, of a file that has much to say about itself."""
    name = f"says-much-{new_id()}"
    like = now.first(sa.select(Version).join(Model, Model.active_version_id == Version.id))
    assert like is not None
    said = dict.fromkeys(("source", "licence", "description", "quality"), SCRIPTED) | {"labels": [SCRIPTED]}
    version = {column.key: getattr(like, column.key) for column in Version.__table__.columns}
    own = {"id": new_id(), "model_id": new_id(), "number": 1, "manifest": {**like.manifest, **said}}
    told = {"name": name, "task": "classify", "enabled": True, "thresholds": {}, "changes": 0, "created_at": now.time}
    now.insert(Model, {**told, "id": own["model_id"], "active_version_id": own["id"]})
    now.insert(Version, {**version, **own})
    return name


async def a_model(house: assembly.House, _browser: Browser) -> str:
    return house.database.write_now(a_model_in)


async def a_webhook(_house: assembly.House, browser: Browser) -> str:
    told = {"url": "http://127.0.0.1:9999/%3Cb%3E", "events": ["job.completed"]}
    made = await browser.post("/api/v1/webhooks", json=told)
    assert made.status_code == 201, made.text
    await browser.post(f"/api/v1/webhooks/{made.json()['id']}/test")
    return ""


async def a_verdict(house: assembly.House, browser: Browser) -> str:
    prediction_id = await a_prediction(house, browser)
    said = {"correct": False, "label": SCRIPTED, "comment": SCRIPTED}
    answer = await browser.post(f"/api/v1/predictions/{prediction_id}/feedback", json=said)
    assert answer.status_code == 201, answer.text
    return "efficientnet-lite0"


def a_kit_in(now: Transaction) -> tuple[str, str]:
    """A kit of one tool, and the tool."""
    values = {"name": f"{SCRIPTED}{new_id()}", "description": SCRIPTED, "model": None}
    told = {"name": SCRIPTED, "serial_number": f"{SCRIPTED}{new_id()}", "category": SCRIPTED, "label": SCRIPTED}
    tool = tools.add(now, told, by=None)
    return kits.add(now, values, [Item(tool.id, 2)], by=None).id, tool.id


async def a_kit(house: assembly.House, _browser: Browser) -> str:
    return house.database.write_now(a_kit_in)[0]


async def a_tool(house: assembly.House, _browser: Browser) -> str:
    return house.database.write_now(a_kit_in)[1]


async def a_loan(house: assembly.House, browser: Browser) -> str:
    """Out and back, with a picture, a tool missing, and words by everybody."""
    kit_id = await a_kit(house, browser)
    tool_id = (await browser.get(f"/api/v1/toolkits/{kit_id}")).json()["items"][0]["tool_id"]
    said = [{"tool_id": tool_id, "found": 1, "comment": SCRIPTED}]
    told = {"reason": SCRIPTED, "place": SCRIPTED, "signed_by": SCRIPTED, "corrections": orjson.dumps(said).decode()}
    for way in ("issue", "return"):
        answer = await browser.post(
            f"/api/v1/toolkits/{kit_id}/{way}", data=told, files={"picture": (f"{SCRIPTED}.jpg", drawn(1))}
        )
    loan_id: str = answer.json()["id"]
    return loan_id


@dataclass(frozen=True)
class Screen:
    """`make` makes what the page is about and gives the place in its address."""

    make: Make = plain
    admins_only: bool = False


SCREENS: dict[str, Screen] = {
    "/": Screen(),
    "/models": Screen(),
    "/inpaint": Screen(),
    "/history": Screen(a_prediction),
    "/predictions/{prediction_id}": Screen(a_prediction),
    "/datasets": Screen(a_dataset),
    "/datasets/{name}": Screen(a_dataset),
    "/jobs": Screen(a_job),
    "/jobs/new": Screen(a_dataset),
    "/jobs/{inference_id}": Screen(a_job),
    "/crib": Screen(a_kit),
    "/crib/{kit_id}": Screen(a_kit),
    "/crib/receipts/{loan_id}": Screen(a_loan),
    "/kits": Screen(a_kit),
    "/kits/{kit_id}": Screen(a_kit),
    "/tools": Screen(a_tool),
    "/tools/{tool_id}": Screen(a_tool),
    "/loans": Screen(a_loan),
    "/loans/{loan_id}": Screen(a_loan),
    "/credits": Screen(a_prediction),
    "/keys": Screen(a_key),
    "/webhooks": Screen(a_webhook),
    "/system": Screen(),
    "/admin": Screen(a_prediction, admins_only=True),
    "/admin/users": Screen(admins_only=True),
    "/admin/users/{user_id}": Screen(the_person, admins_only=True),
    "/admin/models": Screen(admins_only=True),
    "/admin/models/{name}": Screen(a_model, admins_only=True),
    "/admin/models/{name}/versions": Screen(a_verdict, admins_only=True),
    "/admin/models/{name}/disagreements": Screen(a_verdict, admins_only=True),
    "/admin/verdicts": Screen(a_verdict, admins_only=True),
    "/admin/work": Screen(a_job, admins_only=True),
    "/admin/storage": Screen(a_dataset, admins_only=True),
    "/admin/settings": Screen(admins_only=True),
    "/admin/audit": Screen(admins_only=True),
}


def what_is_seen(now: Transaction) -> None:
    """Labels of a model's file, and names of files as other programs than ours write them: quotes as they are."""
    seen = {"label": SCRIPTED, "class_id": 0, "score": 0.9}
    for prediction in now.all(sa.select(Prediction)):
        said = {"filename": SCRIPTED, "label": SCRIPTED, "result": {**prediction.result, "classes": [seen]}}
        now.execute(sa.update(Prediction).where(Prediction.id == prediction.id).values(said))
    now.execute(sa.update(DatasetItem).values(group=SCRIPTED, name=SCRIPTED))


async def a_world(house: assembly.House, admin: Browser) -> dict[str, str]:
    """One of everything, all of it the admin's: the address of each screen."""
    made = {make: await make(house, admin) for make in {screen.make: None for screen in SCREENS.values()}}
    await until_over(admin, made[a_job])
    house.database.write_now(what_is_seen)
    return {path: re.sub(r"{\w+}", made[screen.make], path) for path, screen in SCREENS.items()}
