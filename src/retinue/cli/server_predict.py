"""`retinue predict` on a server: the same words for the same answer, and what it cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from retinue.cli.reaching import At
from retinue.cli.showing import say, show_line
from retinue.client import Client, NotEnoughCredits, NotSignedIn, Prediction, RetinueError


def predict_there(
    at: At,
    files: Sequence[Path],
    how: Mapping[str, Any],
    *,
    mask: Path | None = None,
    save: Path | None = None,
    as_json: bool = False,
) -> int:
    asked: Any = {name: told for name, told in how.items() if told is not None}
    failed, cost = 0, 0.0
    with at.client() as client:
        for file in files:
            try:
                seen = client.predict(file, mask=mask, annotate=save is not None, **asked)
            except (NotSignedIn, NotEnoughCredits):
                raise  # the next picture would hear the same
            except (RetinueError, OSError) as refusal:
                failed += 1
                _tell_refusal(file, refusal, as_json=as_json)
                continue
            cost += seen.cost
            _tell(file, seen, as_json=as_json)
            if save is not None:
                _save(client, file, seen, save)
    if not as_json:
        say(f"{cost:.2f} credits")
    return 1 if failed else 0


def _tell(file: Path, seen: Prediction, *, as_json: bool) -> None:
    if as_json:
        show_line({"file": str(file), **seen.model_dump(mode="json", exclude_unset=True)})
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{file.name}[/bold]  {seen.model} {seen.model_version}, {seen.timing.total:.0f} ms")
    for one in seen.classes or ():
        console.print(f"  {one.score:.2f}  {one.label}")
    for thing in seen.things:
        console.print(f"  {thing.score:.2f}  {thing.label}  at " + ", ".join(f"{side:.0f}" for side in thing.box))
    if seen.task != "inpaint" and not seen.classes and not seen.things:
        console.print("  nothing found")


def _tell_refusal(file: Path, refusal: RetinueError | OSError, *, as_json: bool) -> None:
    if isinstance(refusal, RetinueError):
        words, code = refusal.detail, getattr(refusal, "code", "unreachable")
    else:
        words, code = refusal.strerror or "cannot be read", "unreadable"
    if as_json:
        show_line({"file": str(file), "error": code, "detail": words})
    say(f"{file}: {words}")


def _save(client: Client, file: Path, seen: Prediction, folder: Path) -> None:
    """The drawn answer beside the others; originals are never written over."""
    folder.mkdir(parents=True, exist_ok=True)
    url, name = (
        (seen.output_url, f"{file.stem}-inpainted.png")
        if seen.output_url
        else (seen.annotated_url, f"{file.stem}-annotated.jpg")
    )
    if url is not None:
        say(str(client.media.save(url, folder / name)))
