"""The house without a server: what commands on this machine work with."""

from collections.abc import Iterator
from contextlib import contextmanager

from retinue import assembly
from retinue.base.settings import read_settings


@contextmanager
def local_house() -> Iterator[assembly.House]:
    """The database and the files of this machine's settings; a running server notices changes within 15 s."""
    house = assembly.open_house(read_settings())
    try:
        assembly.prepare(house)
        yield house
    finally:
        house.close()
