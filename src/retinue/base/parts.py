"""How a route gets the parts of the assembled house: by their type, from the application that `assembly.py` filled."""

from typing import Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

T = TypeVar("T")


class Parts:
    """The things a house is made of, one of each type."""

    def __init__(self, *things: object) -> None:
        self._things: dict[type[Any], Any] = {type(thing): thing for thing in things}

    def add(self, thing: object, *, known_as: type[Any] | None = None) -> None:
        self._things[known_as or type(thing)] = thing

    def __getitem__(self, kind: type[T]) -> T:
        thing: T = self._things[kind]
        return thing


def part(kind: type[Any]) -> Any:
    """A dependency that hands the part of this type to a route: `eye: Annotated[Engine, part(Engine)]`."""

    async def find(connection: HTTPConnection) -> Any:
        return connection.app.state.parts[kind]

    return Depends(find)
