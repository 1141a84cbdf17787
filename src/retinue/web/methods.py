"""Which methods an address knows: a refused one is answered with all of them; the router names those of one route."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import compile_path

from retinue.web.problems import of_the_framework


class Methods:
    def __init__(self, routers: Sequence[APIRouter]) -> None:
        self._by_place: dict[str, set[str]] = {}
        for route in iter_route_contexts([route for router in routers for route in router.routes]):
            self._by_place.setdefault(route.path or "", set()).update(route.methods or ())
        self._patterns = {place: compile_path(place)[0] for place in self._by_place}

    def of(self, path: str) -> set[str]:
        """`/webhooks/secret` is itself, though it fits `/webhooks/{webhook_id}` too."""
        places = [place for place, pattern in self._patterns.items() if pattern.match(path)]
        return self._by_place[min(places, key=lambda place: place.count("{"))] if places else set()

    async def refuse(self, request: Request, error: Exception) -> Response:
        answer = await of_the_framework(request, error)
        if known := self.of(request.url.path):
            answer.headers["Allow"] = ", ".join(sorted(known))
        return answer
