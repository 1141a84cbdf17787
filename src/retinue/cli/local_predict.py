"""`retinue predict` on this machine: ask the eye itself, without a server."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from retinue.vision import Asked, VisionError, open_model
from retinue.vision.results import Classes, Picture, Seen


def predict_here(
    files: Sequence[Path], model: str, asked: Asked, *, mask: Path | None, save: Path | None, as_json: bool
) -> int:
    failed = 0
    with open_model(wanted(model)) as eye:
        for file in files:
            try:
                seen = eye.predict(file, mask=mask, asked=asked)
            except (VisionError, OSError) as refusal:
                failed += 1
                _tell_refusal(file, refusal, as_json=as_json)
                continue
            _tell(file, seen, as_json=as_json)
            if save is not None:
                _save(file, seen, save)
    return 1 if failed else 0


def wanted(model: str) -> str | Path:
    path = Path(model)
    return path if path.suffix == ".onnx" or path.is_dir() else model


def _tell(file: Path, seen: Seen, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": str(file), **seen.result.as_json(), "timing": seen.timing.as_json()}))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{file.name}[/bold]  {seen.width} × {seen.height}, {seen.timing.total_ms:.0f} ms")
    if isinstance(seen.result, Picture):
        return
    if not seen.result.items:
        console.print("  nothing found")
    for item in seen.result.items:
        box = "" if isinstance(seen.result, Classes) else "  at " + ", ".join(f"{side:.0f}" for side in item.box)  # type: ignore[attr-defined]
        console.print(f"  {item.score:.2f}  {item.label}{box}")


def _tell_refusal(file: Path, refusal: VisionError | OSError, *, as_json: bool) -> None:
    words = refusal.detail if isinstance(refusal, VisionError) else refusal.strerror or "cannot be read"
    if as_json:
        told: dict[str, Any] = {"file": str(file), "error": getattr(refusal, "code", "unreadable"), "detail": words}
        print(json.dumps(told))
    print(f"{file}: {words}", file=sys.stderr)


def _save(file: Path, seen: Seen, folder: Path) -> None:
    """The drawn answer beside the others; originals are never written over."""
    from retinue.vision.drawing import draw
    from retinue.vision.images import decode, encode_jpeg, encode_png

    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(seen.result, Picture):
        out, data = folder / f"{file.stem}-inpainted.png", encode_png(seen.result.pixels)
    else:
        out = folder / f"{file.stem}-annotated.jpg"
        data = encode_jpeg(draw(decode(file.read_bytes()).pixels, seen.result))
    out.write_bytes(data)
    print(out, file=sys.stderr)
