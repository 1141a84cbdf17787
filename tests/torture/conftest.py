"""What a hostile file may try to reach: a listener and a secret; neither is ever touched."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts.conftest import admin
from tests.corpus.videos import Canary

__all__ = ["admin"]


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    (tmp_path / "secret").write_text("CANARY of the torture")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Canary(listener.getsockname()[1], tmp_path / "secret")
        with pytest.raises(BlockingIOError):
            listener.accept()
