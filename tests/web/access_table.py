"""Who may do what: one row per operation. An operation without a row fails `test_access_matrix.py`.

A room that adds a route adds its row here: whom it serves, which scope a key needs, and, where the path names
something that belongs to somebody, how that is made.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from retinue import assembly
from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.toolkits import kits, tools
from retinue.webhooks import endpoints, events
from tests.accounts.people import PASSWORD, Person, with_key
from tests.jobs.datasets import a_dataset
from tests.pictures import drawn

Who = Literal["open", "anybody", "holder", "operator", "admin"]
Make = Callable[[assembly.House, Person], Awaitable[dict[str, str]]]
"""What the path names, made as the owner's: its placeholders and their values."""


@dataclass(frozen=True)
class Row:
    """`open`: no credential at all. `anybody`: signed in. `holder`: signed in, or with a key without scopes."""

    who: Who
    scope: str | None = None
    send: dict[str, Any] = field(default_factory=dict)
    make: Make | None = None
    is_shared: bool = False  # what the path names is there for everybody, not the owner's alone
    operators_may: bool = False  # an operator may do it with what belongs to somebody else
    admins_may: bool = False  # an admin may do it with what belongs to somebody else


async def a_key(house: assembly.House, owner: Person) -> dict[str, str]:
    return {"key_id": with_key(house, owner).credential.split("_")[1]}


async def a_user(_house: assembly.House, owner: Person) -> dict[str, str]:
    return {"user_id": owner.user.id, "email": owner.user.email}


async def a_prediction(_house: assembly.House, owner: Person) -> dict[str, str]:
    """The same picture each time: only the first of them asks the model."""
    answer = await owner.post("/api/v1/predict", files={"file": ("picture.jpg", drawn(1))})
    told = answer.json()
    return {"prediction_id": told["prediction_id"], "image_id": told["image_id"]}


async def a_link(_house: assembly.House, owner: Person) -> dict[str, str]:
    made = await a_prediction(_house, owner)
    shown = (await owner.get(f"/api/v1/images/{made['image_id']}")).json()
    return {"token": shown["url"].rsplit("/", 1)[1]}


async def a_charge(_house: assembly.House, owner: Person) -> dict[str, str]:
    await owner.post("/api/v1/predict", files={"file": ("picture.jpg", drawn(1))}, data={"cache": "false"})
    entries = (await owner.get("/api/v1/me/transactions?kind=charge")).json()["items"]
    return {"charge_id": entries[0]["id"]}


async def an_inference(house: assembly.House, owner: Person) -> dict[str, str]:
    name = f"photos of {new_id()}"
    await a_dataset(house, owner, [("one.jpg", drawn(1))], name=name)
    answer = await owner.post("/api/v1/inferences", json={"dataset": name})
    return {"inference_id": answer.json()["inference_id"]}


async def a_filled_dataset(_house: assembly.House, owner: Person) -> dict[str, str]:
    """Named by its id, so that a name of one's own does not hide somebody else's."""
    told = (await owner.post("/api/v1/datasets", json={"name": "tools"})).json()
    await owner.post(f"/api/v1/datasets/{told['id']}/items", **PICTURE)
    return {"name": told["id"], "dataset_id": told["id"], "index": "0"}


async def a_tool(house: assembly.House, _owner: Person) -> dict[str, str]:
    """Everybody's, whoever asked for it."""
    values = {"name": "hammer", "category": "", "serial_number": None, "label": None}
    return {"tool_id": house.database.write_now(lambda now: tools.add(now, values, by=None)).id}


async def a_kit(house: assembly.House, _owner: Person) -> dict[str, str]:
    values = {"name": new_id(), "description": "", "model": None}
    return {"toolkit_id": house.database.write_now(lambda now: kits.add(now, values, [], by=None)).id}


async def a_loan(house: assembly.House, owner: Person) -> dict[str, str]:
    """A kit that its owner took out."""
    made = await a_kit(house, owner)
    answer = await owner.post(f"/api/v1/toolkits/{made['toolkit_id']}/issue", json={})
    return {**made, "loan_id": answer.json()["id"]}


async def an_upload(_house: assembly.House, owner: Person) -> dict[str, str]:
    return {"upload_id": (await owner.post("/api/v1/uploads", json=UPLOAD)).json()["upload_id"]}


async def a_webhook(house: assembly.House, owner: Person) -> dict[str, str]:
    """At a port nothing is sent to."""

    def make(now: Transaction) -> dict[str, str]:
        webhook = endpoints.make(now, owner.user.id, url="http://93.184.216.34:22/", events=["job.completed"])
        return {"webhook_id": webhook.id, "delivery_id": events.tell_one(now, webhook, events.TEST, {})}

    return house.database.write_now(make)


async def a_model(_house: assembly.House, _owner: Person) -> dict[str, str]:
    return {"name": "efficientnet-lite0", "version": "1"}


async def a_spare_model(_house: assembly.House, _owner: Person) -> dict[str, str]:
    """One that no other row asks: it may be switched off."""
    return {"name": "toolbox"}


PICTURE = {"files": {"file": ("picture.jpg", drawn(1))}}
UPLOAD = {"filename": "kit.zip", "size": 1}
NEWCOMER = {"email": "newcomer@example.com", "password": PASSWORD}

ROWS: dict[str, Row] = {
    # The system
    "GET /health": Row("open"),
    "GET /health/live": Row("open"),
    "GET /health/ready": Row("open"),
    "GET /metrics": Row("open"),
    "GET /api/v1/info": Row("open"),
    # Accounts
    "POST /api/v1/users": Row("open", send={"json": NEWCOMER}),
    "POST /api/v1/sessions": Row("open", send={"json": {}}),
    "POST /api/v1/sessions/refresh": Row("open", send={"json": {}}),
    "POST /api/v1/token": Row("open", send={"data": {}}),
    "POST /api/v1/setup": Row("open", send={"json": {}}),
    "DELETE /api/v1/sessions": Row("holder"),
    "GET /api/v1/me": Row("anybody"),
    "PATCH /api/v1/me": Row("holder", send={"json": {"name": "Changed"}}),
    "DELETE /api/v1/me": Row("holder"),
    "POST /api/v1/me/keys": Row("holder", send={"json": {"name": "key"}}),
    "GET /api/v1/me/keys": Row("holder"),
    "DELETE /api/v1/me/keys/{key_id}": Row("holder", make=a_key),
    "GET /api/v1/admin/users": Row("admin"),
    "POST /api/v1/admin/users": Row("admin", send={"json": NEWCOMER}),
    "GET /api/v1/admin/users/{user_id}": Row("admin", make=a_user),
    "PATCH /api/v1/admin/users/{user_id}": Row("admin", make=a_user, send={"json": {"name": "Changed"}}),
    "DELETE /api/v1/admin/users/{user_id}": Row("admin", make=a_user),
    "POST /api/v1/admin/users/{user_id}/password": Row("admin", make=a_user, send={"json": {"password": PASSWORD}}),
    "DELETE /api/v1/admin/users/{user_id}/sessions": Row("admin", make=a_user),
    "GET /api/v1/admin/audit": Row("admin"),
    # Credits
    "GET /api/v1/me/credits": Row("anybody", "credits:read"),
    "GET /api/v1/me/transactions": Row("anybody", "credits:read"),
    "GET /api/v1/admin/users/{email}/credits": Row("admin", make=a_user),
    "POST /api/v1/admin/users/{email}/credits": Row(
        "admin", make=a_user, send={"json": {"amount": 5, "reason": "a gift"}}
    ),
    "GET /api/v1/admin/transactions": Row("admin"),
    "POST /api/v1/admin/transactions/{charge_id}/refund": Row(
        "admin", make=a_charge, send={"json": {"reason": "a mistake"}}
    ),
    "GET /api/v1/admin/ledger/verify": Row("admin"),
    # Media
    "GET /api/v1/images": Row("anybody", "predictions:read"),
    "GET /api/v1/images/{image_id}": Row("anybody", "predictions:read", make=a_prediction, admins_may=True),
    "GET /api/v1/media/{token}": Row("open", make=a_link),
    "HEAD /api/v1/media/{token}": Row("open", make=a_link),
    # Uploads
    "POST /api/v1/uploads": Row("anybody", "datasets:write", send={"json": UPLOAD}),
    "PATCH /api/v1/uploads/{upload_id}": Row(
        "anybody", "datasets:write", make=an_upload, send={"content": b"x", "headers": {"Upload-Offset": "0"}}
    ),
    "HEAD /api/v1/uploads/{upload_id}": Row("anybody", "datasets:write", make=an_upload),
    "POST /api/v1/uploads/{upload_id}/complete": Row("anybody", "datasets:write", make=an_upload),
    "DELETE /api/v1/uploads/{upload_id}": Row("anybody", "datasets:write", make=an_upload),
    # Webhooks
    "POST /api/v1/webhooks": Row("anybody", "webhooks:write", send={"json": {"url": "", "events": []}}),
    "GET /api/v1/webhooks": Row("anybody", "webhooks:write"),
    "GET /api/v1/webhooks/secret": Row("anybody", "webhooks:write"),
    "GET /api/v1/webhooks/deliveries": Row("anybody", "webhooks:write"),
    "GET /api/v1/webhooks/{webhook_id}": Row("anybody", "webhooks:write", make=a_webhook),
    "PATCH /api/v1/webhooks/{webhook_id}": Row(
        "anybody", "webhooks:write", make=a_webhook, send={"json": {"events": ["credits.low"]}}
    ),
    "DELETE /api/v1/webhooks/{webhook_id}": Row("anybody", "webhooks:write", make=a_webhook),
    "POST /api/v1/webhooks/{webhook_id}/secret": Row("anybody", "webhooks:write", make=a_webhook),
    "POST /api/v1/webhooks/{webhook_id}/test": Row("anybody", "webhooks:write", make=a_webhook),
    "GET /api/v1/webhooks/{webhook_id}/deliveries": Row("anybody", "webhooks:write", make=a_webhook),
    "POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend": Row(
        "anybody", "webhooks:write", make=a_webhook
    ),
    # Datasets
    "POST /api/v1/datasets": Row("anybody", "datasets:write", send={"json": {"name": "tools"}}),
    "GET /api/v1/datasets": Row("anybody", "datasets:read"),
    "GET /api/v1/datasets/{name}": Row("anybody", "datasets:read", make=a_filled_dataset),
    "PATCH /api/v1/datasets/{name}": Row(
        "anybody", "datasets:write", make=a_filled_dataset, send={"json": {"tags": ["x"]}}
    ),
    "DELETE /api/v1/datasets/{name}": Row("anybody", "datasets:write", make=a_filled_dataset),
    "POST /api/v1/datasets/{dataset_id}/restore": Row("anybody", "datasets:write", make=a_filled_dataset),
    "POST /api/v1/datasets/{name}/items": Row("anybody", "datasets:write", make=a_filled_dataset, send=PICTURE),
    "GET /api/v1/datasets/{name}/items": Row("anybody", "datasets:read", make=a_filled_dataset),
    "GET /api/v1/datasets/{name}/items/{index}": Row("anybody", "datasets:read", make=a_filled_dataset),
    "DELETE /api/v1/datasets/{name}/items/{index}": Row("anybody", "datasets:write", make=a_filled_dataset),
    "GET /api/v1/datasets/{name}/export": Row("anybody", "datasets:read", make=a_filled_dataset),
    "GET /api/v1/admin/datasets": Row("admin"),
    # Models
    "GET /api/v1/models": Row("anybody", "predict"),
    "POST /api/v1/models": Row("admin", send={"json": {}}),
    "GET /api/v1/models/{name}": Row("anybody", "predict", make=a_model, is_shared=True),
    "PATCH /api/v1/models/{name}": Row("admin", make=a_model, send={"json": {"enabled": True}}),
    "GET /api/v1/models/{name}/versions": Row("anybody", "predict", make=a_model, is_shared=True),
    "POST /api/v1/models/{name}/versions": Row("admin", make=a_model, send={"json": {}}),
    "POST /api/v1/models/{name}/versions/{version}/activate": Row(
        "admin", make=a_model, send={"json": {"reason": "a test"}}
    ),
    "POST /api/v1/models/{name}/versions/{version}/retire": Row("admin", make=a_model),
    "GET /api/v1/models/{name}/versions/{version}/stats": Row(
        "anybody", "predictions:read", make=a_model, is_shared=True
    ),
    "GET /api/v1/models/{name}/versions/compare": Row(
        "anybody", "predictions:read", make=a_model, is_shared=True, send={"params": {"a": "1", "b": "1"}}
    ),
    "GET /api/v1/models/{name}/disagreements": Row("admin", make=a_model),
    "POST /api/v1/models/{name}/rollback": Row("admin", make=a_model, send={"json": {}}),
    # Predictions
    "POST /api/v1/predict": Row("anybody", "predict", send=PICTURE),
    "POST /api/v1/predict/batch": Row("anybody", "predict", send={"files": {"files": ("picture.jpg", drawn(1))}}),
    "POST /api/v1/predict/zip": Row("anybody", "predict", send={"files": {"file": ("pictures.zip", b"PK")}}),
    "GET /api/v1/predictions": Row("anybody", "predictions:read"),
    "GET /api/v1/predictions/{prediction_id}": Row("anybody", "predictions:read", make=a_prediction, admins_may=True),
    "DELETE /api/v1/predictions/{prediction_id}": Row("holder", make=a_prediction),
    "GET /api/v1/predictions/{prediction_id}/annotated": Row(
        "anybody", "predictions:read", make=a_prediction, admins_may=True
    ),
    "POST /api/v1/predictions/{prediction_id}/replay": Row("anybody", "predict", make=a_prediction),
    # Feedback
    "POST /api/v1/predictions/{prediction_id}/feedback": Row(
        "anybody", "feedback:write", make=a_prediction, admins_may=True, send={"json": {"correct": True}}
    ),
    "GET /api/v1/feedback": Row("anybody", "predictions:read"),
    # Toolkits
    "POST /api/v1/tools": Row("operator", "toolkits:write", send={"json": {"name": "hammer"}}),
    "GET /api/v1/tools": Row("anybody", "toolkits:read"),
    "GET /api/v1/tools/{tool_id}": Row("anybody", "toolkits:read", make=a_tool, is_shared=True),
    "PATCH /api/v1/tools/{tool_id}": Row("operator", "toolkits:write", make=a_tool, send={"json": {"name": "saw"}}),
    "DELETE /api/v1/tools/{tool_id}": Row("operator", "toolkits:write", make=a_tool),
    "POST /api/v1/toolkits": Row("operator", "toolkits:write", send={"json": {}}),
    "GET /api/v1/toolkits": Row("anybody", "toolkits:read"),
    "GET /api/v1/toolkits/{toolkit_id}": Row("anybody", "toolkits:read", make=a_kit, is_shared=True),
    "PATCH /api/v1/toolkits/{toolkit_id}": Row(
        "operator", "toolkits:write", make=a_kit, send={"json": {"description": "x"}}
    ),
    "DELETE /api/v1/toolkits/{toolkit_id}": Row("operator", "toolkits:write", make=a_kit),
    "PUT /api/v1/toolkits/{toolkit_id}/picture": Row("operator", "toolkits:write", make=a_kit, send=PICTURE),
    "POST /api/v1/toolkits/{toolkit_id}/check": Row(
        "anybody", "toolkits:write", make=a_kit, send=PICTURE, is_shared=True
    ),
    "POST /api/v1/toolkits/{toolkit_id}/issue": Row(
        "anybody", "toolkits:write", make=a_kit, send={"json": {}}, is_shared=True
    ),
    "POST /api/v1/toolkits/{toolkit_id}/return": Row(
        "anybody", "toolkits:write", make=a_kit, send={"json": {}}, is_shared=True
    ),
    "GET /api/v1/loans": Row("anybody", "toolkits:read"),
    "GET /api/v1/loans/{loan_id}": Row("anybody", "toolkits:read", make=a_loan, admins_may=True, operators_may=True),
    "GET /api/v1/tools/{tool_id}/history": Row("operator", "toolkits:read", make=a_tool),
    # Inferences
    "POST /api/v1/inferences": Row("anybody", "jobs:write", send={"json": {}}),
    "GET /api/v1/inferences": Row("anybody", "jobs:read"),
    "GET /api/v1/inferences/{inference_id}": Row("anybody", "jobs:read", make=an_inference, admins_may=True),
    "GET /api/v1/inferences/{inference_id}/status": Row("anybody", "jobs:read", make=an_inference, admins_may=True),
    "GET /api/v1/inferences/{inference_id}/events": Row("anybody", "jobs:read", make=an_inference, admins_may=True),
    "GET /api/v1/inferences/{inference_id}/results": Row("anybody", "jobs:read", make=an_inference, admins_may=True),
    "GET /api/v1/inferences/{inference_id}/download": Row("anybody", "jobs:read", make=an_inference, admins_may=True),
    "POST /api/v1/inferences/{inference_id}/abort": Row("anybody", "jobs:write", make=an_inference),
    "POST /api/v1/inferences/{inference_id}/retry": Row("anybody", "jobs:write", make=an_inference),
    "GET /api/v1/admin/jobs": Row("admin"),
    "GET /api/v1/admin/workers": Row("admin"),
    "GET /api/v1/admin/settings": Row("admin"),
    "GET /api/v1/admin/storage": Row("admin"),
    # Open Inference Protocol
    "GET /v2/health/live": Row("open"),
    "GET /v2/health/ready": Row("open"),
    "GET /v2/": Row("anybody", "predict"),
    "GET /v2/models/stats": Row("anybody", "predict"),
    "GET /v2/models/{name}/stats": Row("anybody", "predict", make=a_model, is_shared=True),
    "GET /v2/models/{name}/versions/{version}/stats": Row("anybody", "predict", make=a_model, is_shared=True),
    "GET /v2/models/{name}": Row("anybody", "predict", make=a_model, is_shared=True),
    "GET /v2/models/{name}/ready": Row("anybody", "predict", make=a_model, is_shared=True),
    "GET /v2/models/{name}/versions/{version}": Row("anybody", "predict", make=a_model, is_shared=True),
    "GET /v2/models/{name}/versions/{version}/ready": Row("anybody", "predict", make=a_model, is_shared=True),
    "POST /v2/models/{name}/infer": Row("anybody", "predict", make=a_model, is_shared=True, send={"json": {}}),
    "POST /v2/models/{name}/versions/{version}/infer": Row(
        "anybody", "predict", make=a_model, is_shared=True, send={"json": {}}
    ),
    "POST /v2/repository/index": Row("admin"),
    "POST /v2/repository/models/{name}/load": Row("admin", make=a_spare_model, is_shared=True),
    "POST /v2/repository/models/{name}/unload": Row("admin", make=a_spare_model, is_shared=True),
}
