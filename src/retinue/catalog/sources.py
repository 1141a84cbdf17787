"""Where a model may be pulled from: an https address, or a file of a public hub repository."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from retinue.base.errors import Invalid
from retinue.base.fetching import Fetcher, NothingThere

HUB_SOURCE = re.compile(r"hf://([\w.-]+)/([\w.-]+)(?::([\w./-]+))?")
USUAL_FILES = ("onnx/model.onnx", "model.onnx")
BESIDE = ("config.json", "preprocessor_config.json")  # what Hugging Face and timm exports say about themselves
LARGEST_MODEL = 2 << 30
LARGEST_CONFIG = 4 << 20


class BadSource(Invalid):
    code = "bad-source"
    title = "A model comes from https://… or hf://owner/name[:file]"


def is_source(text: str) -> bool:
    """Something to pull, rather than a file on this machine."""
    return text.startswith(("https://", "http://", "hf://"))


@dataclass(frozen=True, slots=True)
class Sources:
    """`hub` differs in tests only, where one stands on this machine."""

    fetcher: Fetcher
    hub: str = "https://huggingface.co"

    async def fetch(self, source: str, folder: Path, *, sha256: str | None) -> Path:
        """The model on this disk: one file, or a folder with the files that belong to it."""
        if match := HUB_SOURCE.fullmatch(source):
            return await self._from_hub(*match.groups(), folder=folder, sha256=sha256)
        if urlsplit(source).scheme != "https":
            raise BadSource(f"{source[:200]!r} is neither")
        place = folder / ("model.zip" if urlsplit(source).path.endswith(".zip") else "model.onnx")
        await self.fetcher.download(source, place, max_bytes=LARGEST_MODEL, sha256=sha256)
        return place

    async def _from_hub(self, owner: str, name: str, file: str | None, *, folder: Path, sha256: str | None) -> Path:
        base = f"{self.hub}/{owner}/{name}/resolve/main/"
        for wanted in [file] if file else USUAL_FILES:
            if ".." in wanted.split("/"):
                raise BadSource("A file of the repository is named by its path inside it")
            try:
                await self.fetcher.download(
                    base + quote(wanted), folder / "model.onnx", max_bytes=LARGEST_MODEL, sha256=sha256
                )
                break
            except NothingThere:
                continue
        else:
            raise BadSource(f"{owner}/{name} has no file {file or ' or '.join(USUAL_FILES)}")
        for config in BESIDE:
            try:
                await self.fetcher.download(base + config, folder / config, max_bytes=LARGEST_CONFIG)
            except NothingThere:
                continue
        return folder
