"""Classifiers that name a picture's strongest colour, each mistaken in its own way; as Ultralytics exports them."""

from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from retinue import assembly
from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.catalog import versions
from retinue.catalog.serving import model_named, version_numbered
from retinue.vision.importing import Told, import_model
from retinue.vision.package import Package
from tests.accounts.people import Person
from tests.vision.exports.ultralytics import SIZE, said

COLOURS = ("red", "green", "blue")


def classifier(**mistaken: str) -> bytes:
    """Right but for what is told: `classifier(blue="red")` takes blue for red."""
    says = np.zeros((3, 3), np.float32)
    for number, colour in enumerate(COLOURS):
        says[number, COLOURS.index(mistaken.get(colour, colour))] = 8
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
        helper.make_node("ReduceSum", ["means"], ["light"]),
        helper.make_node("Div", ["means", "light"], ["shares"]),
        helper.make_node("MatMul", ["shares", "says"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(says, "says")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in said("classify", names=dict(enumerate(COLOURS))).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    return model.SerializeToString()


def picture(colour: str, number: int = 0, **beside: int) -> bytes:
    """A plain picture, unlike any of another number; `red=150` mixes so much of that colour in."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    for name, amount in {**beside, colour: 200}.items():
        pixels[:, :, COLOURS.index(name)] = amount
    pixels[:8, :8] = number % 200
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


async def put_in(house: assembly.House, name: str, *exports: bytes) -> None:
    """A model with these versions, the first one active; past the intake test, which takes seconds."""
    for number, data in enumerate(exports):
        folder = house.settings.data_dir / "exports" / f"{name}-{number}"
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(data)
        package = import_model(folder / "model.onnx", folder / "package", told=Told(name=name))
        await put_package_in(house, package, is_first=not number)


async def put_package_in(house: assembly.House, package: Package, *, is_first: bool = True) -> None:
    version_id = new_id()
    files = await house.shelf.put(version_id, package)
    await house.database.write(partial(_write_down, package, version_id, files, is_first=is_first))


def _write_down(package: Package, version_id: str, files: list[str], now: Transaction, *, is_first: bool) -> None:
    model_id = versions.add_model(now, package) if is_first else model_named(now, package.name).id
    facts = {"origin": "file", "files": files, "size_bytes": 1, "intake": {}, "by": None}
    versions.add_version(now, model_id, package, version_id=version_id, **facts)
    if is_first:
        model = model_named(now, package.name)
        versions.activate(now, model, version_numbered(now, model, "1"), by=None, reason="first version")


async def say(person: Person, prediction_id: str, **told: Any) -> Any:
    """A verdict, which must be taken."""
    answer = await person.post(f"/api/v1/predictions/{prediction_id}/feedback", json=told)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()
