"""Every operation that takes a file, how one is sent through it, and which kinds of files it is there for.

The OpenAPI document says which operations these are; one without a row here fails `test_every_door.py`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from retinue.base.ids import new_id
from tests.accounts.people import Person
from tests.corpus.model_graphs import classifier
from tests.pictures import drawn
from tests.protocol.speaking import send_pictures
from tests.torture.files import File, Kind

Send = Callable[[Person, File], Awaitable[httpx2.Response]]
PICTURE = drawn(1)
SOUND = "sound"
# A trial run has a minute by its own limits, in a process of its own.
TRIAL_S = 75.0
JSON_OR_FORM = {"application/json", "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Door:
    """`takes`: kinds that are judged here by what their corpus says. Any other must be refused, or be harmless."""

    operation: str
    send: Send
    takes: frozenset[Kind]
    patience_s: float = 5.0
    name: str = ""

    def __str__(self) -> str:
        return self.operation + self.name


async def prepare(person: Person) -> None:
    """A model that gets versions."""
    file = {"file": ("sound.onnx", classifier().SerializeToString())}
    added = await person.post("/api/v1/models", files=file, data={"name": SOUND})
    assert added.status_code == 201, added.text


def file_operations(document: dict[str, Any]) -> set[str]:
    """Those whose body may be something else than JSON or a plain form."""
    return {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if set(told.get("requestBody", {}).get("content", {})) - JSON_OR_FORM
    }


def _part(file: File, name: str = "file") -> dict[str, Any]:
    return {name: (file.filename, file.data)}


async def _predict(person: Person, file: File) -> httpx2.Response:
    return await person.post("/api/v1/predict", files=_part(file))


async def _predict_raw(person: Person, file: File) -> httpx2.Response:
    return await person.post("/api/v1/predict", content=file.data, headers={"Content-Type": "image/jpeg"})


async def _batch(person: Person, file: File) -> httpx2.Response:
    return await person.post("/api/v1/predict/batch", files=_part(file, "files"))


async def _zip(person: Person, file: File) -> httpx2.Response:
    return await person.post("/api/v1/predict/zip", files=_part(file))


async def _item(person: Person, file: File) -> httpx2.Response:
    dataset = await _made(person, "datasets", name=new_id())
    return await person.post(f"/api/v1/datasets/{dataset['id']}/items", files=_part(file))


async def _mask(person: Person, file: File) -> httpx2.Response:
    """As the mask of a picture, which no hostile one can be."""
    dataset = await _made(person, "datasets", name=new_id())
    files = {"file": ("picture.jpg", PICTURE), "mask": (file.filename, file.data)}
    return await person.post(f"/api/v1/datasets/{dataset['id']}/items", files=files)


async def _upload(person: Person, file: File) -> httpx2.Response:
    """In one piece, and then as an item: what arrives in pieces is judged where it is used."""
    begun = await _made(person, "uploads", filename=file.filename, size=max(1, len(file.data)))
    path = f"/api/v1/uploads/{begun['upload_id']}"
    headers = {"Upload-Offset": "0", "Content-Type": "application/octet-stream"}
    try:
        sent = await person.patch(path, content=file.data or b"\0", headers=headers)
        if sent.status_code != 200:
            return sent
        assert (await person.post(f"{path}/complete")).status_code == 200
        dataset = await _made(person, "datasets", name=new_id())
        return await person.post(f"/api/v1/datasets/{dataset['id']}/items", json={"upload_id": begun["upload_id"]})
    finally:
        await person.delete(path)


async def _model(person: Person, file: File) -> httpx2.Response:
    return await person.post("/api/v1/models", files=_part(file), data={"name": f"m{new_id()}"})


async def _version(person: Person, file: File) -> httpx2.Response:
    return await person.post(f"/api/v1/models/{SOUND}/versions", files=_part(file))


async def _kit_picture(person: Person, file: File) -> httpx2.Response:
    kit = await _made(person, "toolkits", name=new_id())
    return await person.ask("PUT", f"/api/v1/toolkits/{kit['id']}/picture", files=_part(file))


async def _check(person: Person, file: File) -> httpx2.Response:
    kit = await _made(person, "toolkits", name=new_id(), model="toolbox")
    return await person.post(f"/api/v1/toolkits/{kit['id']}/check", files=_part(file))


async def _issue(person: Person, file: File) -> httpx2.Response:
    kit = await _made(person, "toolkits", name=new_id(), model="toolbox")
    return await person.post(f"/api/v1/toolkits/{kit['id']}/issue", files=_part(file, "picture"))


async def _return(person: Person, file: File) -> httpx2.Response:
    kit = await _made(person, "toolkits", name=new_id(), model="toolbox")
    await _made(person, f"toolkits/{kit['id']}/issue")
    return await person.post(f"/api/v1/toolkits/{kit['id']}/return", files=_part(file, "picture"))


async def _infer(person: Person, file: File) -> httpx2.Response:
    return await send_pictures(person, file.data)


async def _infer_version(person: Person, file: File) -> httpx2.Response:
    return await send_pictures(person, file.data, path="/v2/models/efficientnet-lite0/versions/1/infer")


async def _made(person: Person, path: str, **values: Any) -> dict[str, Any]:
    answer = await person.post(f"/api/v1/{path}", json=values)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


PICTURES: frozenset[Kind] = frozenset({"picture"})
TAKEN_IN: frozenset[Kind] = frozenset({"picture", "archive", "video"})
DOORS = [
    Door("POST /api/v1/predict", _predict, PICTURES),
    Door("POST /api/v1/predict", _predict_raw, PICTURES, name=" as a raw body"),
    Door("POST /api/v1/predict/batch", _batch, PICTURES),
    Door("POST /api/v1/predict/zip", _zip, frozenset({"archive"})),
    Door("POST /api/v1/datasets/{name}/items", _item, TAKEN_IN),
    Door("POST /api/v1/datasets/{name}/items", _mask, frozenset(), name=" as a mask"),
    Door("PATCH /api/v1/uploads/{upload_id}", _upload, TAKEN_IN),
    Door("POST /api/v1/models", _model, frozenset({"model"}), TRIAL_S),
    Door("POST /api/v1/models/{name}/versions", _version, frozenset({"model"}), TRIAL_S),
    Door("PUT /api/v1/toolkits/{toolkit_id}/picture", _kit_picture, PICTURES),
    Door("POST /api/v1/toolkits/{toolkit_id}/check", _check, PICTURES),
    Door("POST /api/v1/toolkits/{toolkit_id}/issue", _issue, PICTURES),
    Door("POST /api/v1/toolkits/{toolkit_id}/return", _return, PICTURES),
    Door("POST /v2/models/{name}/infer", _infer, PICTURES),
    Door("POST /v2/models/{name}/versions/{version}/infer", _infer_version, PICTURES),
]
