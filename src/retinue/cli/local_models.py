"""`retinue model …` on this machine: straight in the database; a running server notices within two seconds."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import sqlalchemy as sa
from cyclopts import Parameter

from retinue.accounts import audit
from retinue.assembly import House, providers_for
from retinue.base.database import Transaction
from retinue.base.errors import Invalid
from retinue.base.fetching import Fetcher
from retinue.catalog import versions
from retinue.catalog.publishing import Published, Publisher
from retinue.catalog.serving import model_named, version_numbered
from retinue.catalog.sources import Sources, is_source
from retinue.catalog.tables import Model, Version
from retinue.cli.local import local_house
from retinue.cli.local_predict import wanted
from retinue.cli.showing import show_json
from retinue.credits.prices import prices_of
from retinue.credits.shapes import as_credits
from retinue.vision import open_model, quantizing, tuning
from retinue.vision.images import encode_jpeg
from retinue.vision.importing import Told
from retinue.vision.importing.told import Pixels
from retinue.vision.intake import neutral_picture
from retinue.vision.package import MANIFEST, Package, Task, read_package
from retinue.vision.results import Timing

Name = Annotated[str, Parameter(help="Name of the model.")]


def add(
    source: str,
    *,
    name: str | None,
    labels: list[str] | None,
    task: Task | None,
    size: str | None,
    pixels: Pixels | None,
    licence: str | None,
    sha256: str | None,
) -> dict[str, Any]:
    told = Told(
        name=name,
        task=task,
        labels=None if labels is None else tuple(labels),
        size=_size(size),
        pixels=pixels,
        licence=licence,
        source=source,
    )
    with local_house() as house:
        published = asyncio.run(_publish(house, source, told, sha256=sha256))
    return {"model": published.model, "version": str(published.number), "intake": dict(published.intake)}


def list_here() -> list[dict[str, Any]]:
    """Every model with its task, active version, price, licence and measured quality."""
    with local_house() as house:
        found = house.database.read_now(_models)
        standard = prices_of(house.settings).inference_image
    return [
        {
            "name": model.name,
            "task": model.task,
            "version": active.label if active else None,
            "enabled": model.enabled,
            "price": as_credits(standard if model.price is None else model.price),
            "licence": active.manifest["licence"] if active else "",
            "quality": active.manifest["quality"] if active else "",
        }
        for model, active in found
    ]


def versions_of(name: str) -> list[dict[str, Any]]:
    with local_house() as house:
        model, own = house.database.read_now(lambda now: _with_versions(now, name))
    return [
        {
            "version": version.label,
            "state": "active" if version.id == model.active_version_id else version.state,
            "labels": len(version.manifest["labels"]),
            "bytes": version.size_bytes,
            "since": version.created_at.date().isoformat(),
            "sha256": version.manifest["sha256"],
        }
        for version in own
    ]


def activate(name: str, version: str, *, reason: str) -> None:
    def switch(now: Transaction) -> None:
        model = model_named(now, name)
        versions.activate(now, model, version_numbered(now, model, version), by=audit.CONSOLE, reason=reason)

    with local_house() as house:
        house.database.write_now(switch)


def retire(name: str, version: str) -> None:
    def close(now: Transaction) -> None:
        model = model_named(now, name)
        versions.retire(now, model, version_numbered(now, model, version), by=audit.CONSOLE)

    with local_house() as house:
        house.database.write_now(close)


def tune(name: Name, /, *, seconds: Annotated[float, Parameter(help="How long to measure.")] = 8.0) -> int:
    """Measure on this machine how a model is served best (lanes, threads, batch), and keep it."""
    with local_house() as house:
        package = _active_package(house, name)
        providers = providers_for(house.settings)
        tuned = tuning.tune(package, house.shelf.builtin_folder, seconds=seconds, providers=providers)
    show_json(tuned.as_json())
    return 0


def quantize(
    name: Annotated[str, Parameter(help="A model of this machine's server, or a package's folder.")],
    /,
    *pictures: Annotated[Path, Parameter(help="Pictures of the usual kind: half calibrate, half compare.")],
    save: Annotated[Path, Parameter(help="New folder for the int8 package.")],
) -> int:
    """Make an int8 version of a model, and say how it agrees with the original and how much faster it is here.

    Nothing is promoted: what it wrote goes in as the next version with `retinue model add`.

    For example:

    ```console
    $ retinue model quantize yolo11n photos/*.jpg --save yolo11n-int8
    $ retinue model add yolo11n-int8
    ```
    """
    if save.exists():
        raise Invalid(f"{save} is there already: name a new folder")
    made = quantizing.quantize(_package(name), [picture.read_bytes() for picture in pictures], save)
    print(made.sentence)
    print(f"To try it on live traffic: retinue model add {save}")
    return 0


def _package(name: str) -> Package:
    """A folder with a package, else the active version of a model of that name."""
    if (Path(name) / MANIFEST).is_file():
        return read_package(Path(name))
    with local_house() as house:
        return _active_package(house, name)


def _active_package(house: House, name: str) -> Package:
    model, own = house.database.read_now(lambda now: _with_versions(now, name))
    active = next((version for version in own if version.id == model.active_version_id), None)
    if active is None:
        raise Invalid(f"{name} has no active version")
    return asyncio.run(house.shelf.package_of(active))


def bench(name: Annotated[str, Parameter(help="A built-in model, a package's folder, or an ONNX file.")], /) -> int:
    """How long one picture takes this model on this machine, decode to answer."""
    picture = encode_jpeg(neutral_picture())
    with open_model(wanted(name)) as eye:
        took: list[Timing] = []
        ends = time.monotonic() + 3
        while time.monotonic() < ends or len(took) < 3:
            took.append(eye.predict(picture).timing)
    total, model = median(one.total_ms for one in took), median(one.model_ms for one in took)
    print(f"{total:.1f} ms a picture, {model:.1f} of it the network")
    return 0


async def _publish(house: House, source: str, told: Told, *, sha256: str | None) -> Published:
    publisher = Publisher(house.database, house.shelf, work_folder=house.settings.data_dir.absolute() / "incoming")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(source)
        if is_source(source):
            place = await Sources(Fetcher()).fetch(source, Path(folder), sha256=sha256)
        return await publisher.publish(place, told, origin="url" if is_source(source) else "file", by=audit.CONSOLE)


def _models(now: Transaction) -> Sequence[tuple[Model, Version | None]]:
    models = now.all(sa.select(Model).order_by(Model.name))
    own = {version.id: version for version in now.all(sa.select(Version))}
    return [(model, own.get(model.active_version_id or "")) for model in models]


def _with_versions(now: Transaction, name: str) -> tuple[Model, list[Version]]:
    model = model_named(now, name)
    own = sa.select(Version).where(Version.model_id == model.id).order_by(Version.number.desc())
    return model, now.all(own)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    return int(width), int(height or width)
