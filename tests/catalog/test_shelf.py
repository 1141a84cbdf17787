"""What lies on the shelf of models: finished packages stay, what a killed process left goes after a day."""

import os
import time
from pathlib import Path

from retinue.base.storage import open_storage
from retinue.catalog.shelf import Shelf

TWO_DAYS_S = 48 * 3600


def lies(folder: Path, *, is_old: bool) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"weights")
    if is_old:
        then = time.time() - TWO_DAYS_S
        os.utime(folder, (then, then))
    return folder


def test_what_was_being_fetched_or_made_goes_after_a_day_and_packages_stay(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "models", open_storage(str(tmp_path / "files")))
    shelf.sweep()  # before anything was ever fetched
    models, built_in = tmp_path / "models", shelf.builtin_folder / "builtin"
    gone = [lies(models / ".fetching-1", is_old=True), lies(built_in / ".building-1", is_old=True)]
    kept = [
        lies(models / ".fetching-2", is_old=False),
        lies(built_in / ".building-2", is_old=False),
        lies(models / "0190b3c4", is_old=True),
        lies(built_in / "toolbox-1", is_old=True),
    ]
    shelf.sweep()
    assert not any(folder.exists() for folder in gone)
    assert all((folder / "model.onnx").exists() for folder in kept)
