"""The only way out to an address that a person gave: checked, pinned to the address that was checked, and limited.

A name is resolved once, at the moment of connecting, and every address it has must be one that may be reached; the
connection goes to exactly that address, while TLS and the Host header keep the name. So neither a second answer of a
name server nor a redirect leads anywhere else. Proxies of the environment are not used: they would do the resolving.
"""

import asyncio
import contextlib
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urljoin

import httpcore2
import psutil  # type: ignore[import-untyped]

from retinue.base.addresses import Address, AddressRefused, Network, Target, is_reachable, target_of
from retinue.base.errors import Invalid, TooLarge
from retinue.base.storage import Stored, disk_errors_as_ours

Resolver = Callable[[str, int], Awaitable[list[str]]]

MAX_REPLY_BYTES = 64 << 10
REPLY_WITHIN_S = 15.0
CONNECT_WITHIN_S = 10.0
SILENCE_S = 30.0
MAX_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
WRITE_BYTES = 1 << 20


class FetchFailed(Invalid):
    """One sentence for every failure, so that nobody maps our network by asking."""

    code = "fetch-failed"
    title = "The address gave no usable answer"


class NothingThere(FetchFailed):
    """404: for whoever knows the host and has another file of it to ask for; told like every other failure."""


class WrongChecksum(Invalid):
    code = "wrong-checksum"
    title = "The file that came is not the one that was asked for: its SHA-256 differs"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


async def look_up(host: str, port: int) -> list[str]:
    """The system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


class Fetcher:
    """`allow` are networks that may be reached besides the public ones; `own_names` are names of this house."""

    def __init__(
        self,
        *,
        allow: Iterable[Network] = (),
        own_names: Iterable[str] = (),
        resolver: Resolver = look_up,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow = list(allow)
        self._own_names = {name.lower().rstrip(".") for name in own_names}
        self._resolver = resolver
        self._given_tls = tls

    async def check_address(self, url: str) -> None:
        """Before an address is saved; it is checked again whenever it is used."""
        target = target_of(url)
        async with _in_time(REPLY_WITHIN_S):
            await self.addresses_of(target.host, target.port)

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        within_s: float = REPLY_WITHIN_S,
        max_bytes: int = MAX_REPLY_BYTES,
    ) -> Reply:
        """One request and its whole reply, of whatever status. A redirect is a reply like any other."""
        target = target_of(url)
        async with _in_time(within_s), self._response(target, method, headers or {}, body) as response:
            read = bytearray()
            async for chunk in response.aiter_stream():
                read += chunk
                if len(read) > max_bytes:
                    raise FetchFailed
            return Reply(response.status, _headers_of(response), bytes(read))

    async def download(
        self,
        url: str,
        into: Path,
        *,
        max_bytes: int,
        sha256: str | None = None,
        headers: Mapping[str, str] | None = None,
        within_s: float = 3600,
    ) -> Stored:
        """A file over HTTPS into `into`, which is new and is there only if all of it came.

        `headers` (a token, perhaps) are for the first host and do not travel to another.
        """
        headers = dict(headers or {})
        target = target_of(url, schemes=("https",))
        async with _in_time(within_s):
            for _ in range(MAX_REDIRECTS + 1):
                async with self._response(target, "GET", headers, None) as response:
                    if response.status not in REDIRECTS:
                        return await _keep(response, into, max_bytes=max_bytes, sha256=sha256)
                    onward = _onward(target, response)
                if onward.origin != target.origin:
                    headers = {}
                target = onward
        raise FetchFailed

    async def addresses_of(self, host: str, port: int) -> list[Address]:
        """Where a connection to this name may go: nowhere, if one of its addresses may not be reached."""
        try:
            found = [ip_address(text) for text in await self._resolver(host, port)]
        except (OSError, UnicodeError, ValueError) as unknown:
            raise AddressRefused from unknown
        own = found if host.rstrip(".") in self._own_names else _own_addresses()
        if not found or not all(is_reachable(address, allow=self._allow, own=own) for address in found):
            raise AddressRefused
        return list(dict.fromkeys(found))

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or ssl.create_default_context()

    @contextlib.asynccontextmanager
    async def _response(
        self, target: Target, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncIterator[httpcore2.Response]:
        url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        # A compressed answer could grow without end; `identity` is what we read.
        sent = {"Accept": "*/*", "Accept-Encoding": "identity", **headers, "Host": target.authority}.items()
        limits = {"connect": CONNECT_WITHIN_S, "read": SILENCE_S, "write": SILENCE_S}
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=self._tls, network_backend=_Pinned(self)) as pool,
            pool.stream(method, url, headers=list(sent), content=body, extensions={"timeout": limits}) as response,
        ):
            yield response


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that were checked, one after the other until one answers."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = FetchFailed()
        for address in await self._fetcher.addresses_of(host, port):
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.NetworkError, httpcore2.TimeoutException) as silent:
                failure = silent
        raise failure


@contextlib.asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """The border at which foreign failures become one of ours."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (
        TimeoutError,
        ssl.SSLError,
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.TimeoutException,
        httpcore2.UnsupportedProtocol,
    ) as failure:
        raise FetchFailed from failure


async def _keep(response: httpcore2.Response, into: Path, *, max_bytes: int, sha256: str | None) -> Stored:
    headers = _headers_of(response)
    if response.status == 404:
        raise NothingThere
    if response.status != 200 or headers.get("content-encoding", "identity") != "identity":
        raise FetchFailed
    if int(headers.get("content-length", "0")) > max_bytes:
        raise TooLarge(max_bytes=max_bytes)
    hashed, size = hashlib.sha256(), 0
    with disk_errors_as_ours():
        file = await asyncio.to_thread(into.open, "xb")
    try:
        async for chunk in response.aiter_stream():
            size += len(chunk)
            if size > max_bytes:
                raise TooLarge(max_bytes=max_bytes)
            with disk_errors_as_ours():
                await asyncio.to_thread(file.write, chunk)
            hashed.update(chunk)
        if sha256 is not None and hashed.hexdigest() != sha256.lower():
            raise WrongChecksum
        with disk_errors_as_ours():
            await asyncio.to_thread(file.close)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        await asyncio.to_thread(into.unlink)
        raise
    return Stored(size, hashed.hexdigest())


def _onward(target: Target, response: httpcore2.Response) -> Target:
    location = _headers_of(response).get("location")
    if location is None:
        raise FetchFailed
    return target_of(urljoin(str(target), location), schemes=("https",))


def _headers_of(response: httpcore2.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _own_addresses() -> list[Address]:
    """Of this machine's interfaces: a public address of ours is still ours."""
    families = (socket.AF_INET, socket.AF_INET6)
    known = [place for places in psutil.net_if_addrs().values() for place in places if place.family in families]
    return [ip_address(place.address.partition("%")[0]) for place in known]
