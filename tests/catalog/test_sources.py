"""A public hub, on this machine: repositories have the files they have."""

import asyncio
from pathlib import Path

import pytest

from retinue.base.fetching import Fetcher
from retinue.catalog.sources import BadSource, Sources
from tests.base.test_fetching import Certificates, Listener, certificates, listening, puller, response

__all__ = ["certificates", "puller"]


@pytest.mark.parametrize(
    "files",
    [
        ["model.onnx"],
        ["onnx/model.onnx", "config.json"],
        ["model.onnx", "preprocessor_config.json"],
        ["onnx/model.onnx", "model.onnx", "config.json", "preprocessor_config.json"],
        ["README.md"],
    ],
)
async def test_a_repository_need_not_have_every_usual_file(
    files: list[str], puller: Fetcher, certificates: Certificates, tmp_path: Path
) -> None:
    hub: Listener

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = hub.heads[-1].split(" ")[1].removeprefix("/owner/name/resolve/main/")
        writer.write(response("200 OK", asked.encode()) if asked in files else response("404 Not Found"))
        await writer.drain()

    async with listening(answer, tls=certificates.server) as hub:
        sources = Sources(puller, hub=hub.url("models.example", ""))
        if "README.md" in files:
            with pytest.raises(BadSource, match=r"no file onnx/model\.onnx or model\.onnx"):
                await sources.fetch("hf://owner/name", tmp_path, sha256=None)
            return
        folder = await sources.fetch("hf://owner/name", tmp_path, sha256=None)
    told = {path.name: path.read_text() for path in folder.iterdir()}
    assert told.pop("model.onnx") == next(name for name in ("onnx/model.onnx", "model.onnx") if name in files)
    assert sorted(told) == sorted(name for name in files if name.endswith(".json"))
