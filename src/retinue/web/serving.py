"""How the process listens, and how it stops: ready says no first, then the door closes, then what was accepted ends."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from retinue.base.errors import Conflict
from retinue.base.settings import Settings
from retinue.predictions.paying import DEADLINE_S
from retinue.web.heads import PatientProtocol
from retinue.web.health import Health

NOTICE_S = 2.0  # a load balancer that probes every second has seen the 503 by then
FINISH_S = round(DEADLINE_S) + 5  # what was accepted may use all of its time, and then answer


class CannotListen(Conflict):
    code = "cannot-listen"
    title = "Retinue cannot listen there"


def check_place(host: str, port: int) -> None:
    """Asked before anything is opened: the person at the console gets a sentence instead of a log line."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as refused:
            why = (
                "Something else listens"
                if refused.errno == errno.EADDRINUSE
                else f"{refused.strerror}, so nothing can listen"
            )
            raise CannotListen(f"{why} on {host}:{port}. Choose another: RETINUE_PORT={port + 1}") from refused


class Server(uvicorn.Server):
    """SIGTERM: /health/ready answers 503 for two seconds, then the listener closes. A second signal ends it at once."""

    def __init__(
        self, app: ASGIApp, settings: Settings, health: Health, *, when_ready: Callable[[str], None] = lambda _: None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=PatientProtocol,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies or None,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=FINISH_S,
            )
        )
        self._health = health
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_ready(self.address)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        was_draining = self._health.draining
        self._health.drain()
        if was_draining or sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
            return
        asyncio.get_running_loop().call_later(NOTICE_S, super().handle_exit, sig, frame)

    @property
    def address(self) -> str:
        """Known once it listens: port 0 asks the system for a free one."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
