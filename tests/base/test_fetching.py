"""What the house fetches for people: public places only, whatever the spelling, and never more than was agreed."""

import asyncio
import contextlib
import datetime
import hashlib
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from retinue.base.addresses import AddressRefused, is_reachable, networks_of, target_of
from retinue.base.errors import Invalid, TooLarge
from retinue.base.fetching import MAX_REPLY_BYTES, Fetcher, FetchFailed, Reply, WrongChecksum

LOOPBACK = networks_of(["127.0.0.0/8", "::1"])
PUBLIC = "93.184.216.34"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Listener:
    """A server on this machine that counts who comes, and remembers what they said."""

    port: int
    scheme: str = "http"
    heads: list[str] = field(default_factory=list)
    connections: int = 0

    def url(self, host: str, path: str = "/") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@contextlib.asynccontextmanager
async def listening(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    sockets = sockets_of_one_port()
    listener = Listener(sockets[0].getsockname()[1], "https" if tls else "http")
    guests: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections += 1
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            listener.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await answer(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guests.add(asyncio.create_task(serve(reader, writer)))

    servers = [await asyncio.start_server(welcome, sock=each, ssl=tls) for each in sockets]
    try:
        yield listener
    finally:
        for server in servers:
            server.close()
        if guests:
            _, late = await asyncio.wait(guests, timeout=0.5)
            for guest in late:
                guest.cancel()
            await asyncio.gather(*guests, return_exceptions=True)


def sockets_of_one_port() -> list[socket.socket]:
    for port in range(8000 + os.getpid() % 1500, 10_000):
        with contextlib.ExitStack() as opened:
            v4 = opened.enter_context(socket.socket(socket.AF_INET))
            v6 = opened.enter_context(socket.socket(socket.AF_INET6))
            v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            with contextlib.suppress(OSError):
                v4.bind(("127.0.0.1", port))
                v6.bind(("::1", port))
                opened.pop_all()
                return [v4, v6]
    raise AssertionError("no port between 8000 and 9999 is free")


def saying(*parts: bytes) -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return answer


def response(status: str, body: bytes = b"", **headers: str) -> bytes:
    told = {"content-length": str(len(body)), **{name.replace("_", "-"): text for name, text in headers.items()}}
    lines = "".join(f"{name}: {text}\r\n" for name, text in told.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def names(**known: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, _: int) -> list[str]:
        key = host.replace(".", "_")
        if key in known:
            return known[key]
        return [str(ip_address(host))]

    return resolve


@pytest.fixture
async def canary() -> AsyncIterator[Listener]:
    async with listening(saying(response("200 OK", b"secret"))) as listener:
        yield listener


SPELLINGS = [
    "http://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://localhost:{port}/",
    "http://localhost.:{port}/",
    "http://LOCALHOST:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[fe80::1%25eth0]:{port}/",
    "http://[fe80::1%eth0]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://[fd00:ec2::254]:{port}/",
    "http://[ff02::1]:{port}/",
    "http://[2001:db8::1]:{port}/",
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://172.31.255.255:{port}/",
    "http://192.168.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://192.0.0.8:{port}/",
    "http://192.0.0.192:{port}/",
    "http://192.0.2.1:{port}/",
    "http://198.18.0.1:{port}/",
    "http://224.0.1.1:{port}/",
    "http://240.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://public.example@127.0.0.1:{port}/",
    "http://user:secret@93.184.216.34/",
    "http://127.0.0.1:{port}\\@93.184.216.34/",
    "http://93.184.216.34:{port}@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@93.184.216.34/",
    "http://127.0.0.1:{port}?@93.184.216.34/",
    "http://[::1",
    "http://",
    "http:///path",
    "http://a b/",
    "http://93.184.216.34/\r\nHost: 127.0.0.1",
    "http://h%2e/",
    "file:///etc/passwd",
    "ftp://93.184.216.34/",
    "gopher://127.0.0.1:{port}/_GET",
    "dict://127.0.0.1:{port}/",
    "data:text/plain,hello",
    "unix:/run/docker.sock",
    "HTTP://93.184.216.34/",
    " http://93.184.216.34/",
    "93.184.216.34",
    "//93.184.216.34/",
    "javascript:alert(1)",
    "http://93.184.216.34:22/",
    "http://93.184.216.34:25/",
    "http://93.184.216.34:5432/",
    "http://93.184.216.34:6379/",
    "http://93.184.216.34:0/",
    "http://93.184.216.34:65536/",
    "http://93.184.216.34:-80/",
    "http://93.184.216.34:10000/",
    "http://93.184.216.34/" + "a" * 2048,
]


class TestAPrivateAddress:
    @pytest.mark.parametrize("spelling", SPELLINGS)
    async def test_is_refused_in_every_spelling_and_nobody_connects(self, spelling: str, canary: Listener) -> None:
        url, fetcher = spelling.replace("{port}", str(canary.port)), Fetcher()
        with pytest.raises(AddressRefused) as refusal:
            await fetcher.check_address(url)
        with pytest.raises(AddressRefused):
            await fetcher.fetch(url, method="POST", body=b"{}")
        with pytest.raises(AddressRefused):
            await fetcher.download(url.replace("http://", "https://"), Path("never"), max_bytes=10)
        assert canary.connections == 0
        assert refusal.value.detail == AddressRefused.title
        assert isinstance(refusal.value, Invalid)

    async def test_behind_a_public_looking_name_is_refused(self, canary: Listener) -> None:
        fetcher = Fetcher(resolver=names(wildcard_example=["127.0.0.1"]))
        await refused(fetcher, canary.url("wildcard.example"))
        assert canary.connections == 0

    async def test_beside_a_public_one_spoils_the_name(self, canary: Listener) -> None:
        fetcher = Fetcher(resolver=names(both_example=[PUBLIC, "127.0.0.1"]))
        await refused(fetcher, canary.url("both.example"))
        assert canary.connections == 0

    async def test_given_only_the_second_time_is_refused_the_second_time(self, canary: Listener) -> None:
        answers = iter([[PUBLIC], ["127.0.0.1"]])

        async def rebinding(_: str, __: int) -> list[str]:
            return next(answers)

        fetcher = Fetcher(resolver=rebinding)
        await fetcher.check_address(canary.url("rebind.example"))
        with pytest.raises(AddressRefused):
            await fetcher.fetch(canary.url("rebind.example"))
        assert canary.connections == 0

    async def test_is_asked_for_once_per_connection_and_then_pinned(self, canary: Listener) -> None:
        asked: list[str] = []

        async def once(host: str, _: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

        reply = await Fetcher(resolver=once, allow=LOOPBACK).fetch(canary.url("pinned.example"))
        assert reply.status == 200
        assert asked == ["pinned.example"]

    async def test_that_nobody_knows_is_refused_like_the_others(self) -> None:
        async def unknown(_: str, __: int) -> list[str]:
            raise socket.gaierror("no such name: internal-7")

        with pytest.raises(AddressRefused) as refusal:
            await Fetcher(resolver=unknown).check_address("http://nowhere.example/")
        assert "internal-7" not in refusal.value.detail


class TestOurOwnAddress:
    async def test_is_refused_by_name_though_it_is_public(self) -> None:
        fetcher = Fetcher(
            own_names=["Retinue.example"], resolver=names(retinue_example=[PUBLIC], other_example=[PUBLIC])
        )
        await refused(fetcher, "https://retinue.example/")
        await refused(fetcher, "https://RETINUE.example./")
        await fetcher.check_address("https://other.example/")

    def test_is_refused_by_number_though_it_is_public(self) -> None:
        assert is_reachable(ip_address(PUBLIC), allow=[])
        assert not is_reachable(ip_address(PUBLIC), allow=[], own=[ip_address(PUBLIC)])
        assert not is_reachable(ip_address(f"::ffff:{PUBLIC}"), allow=[], own=[ip_address(PUBLIC)])

    async def test_is_known_from_this_machines_interfaces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        await Fetcher().check_address(f"http://{PUBLIC}/")
        (loopback, *_), *_ = psutil.net_if_addrs().values()
        monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [loopback._replace(address=PUBLIC)]})
        await refused(Fetcher(), f"http://{PUBLIC}/")


class TestAnAllowedAddress:
    @pytest.mark.parametrize(
        "url",
        [
            f"http://{PUBLIC}/",
            f"https://{PUBLIC}/hook?a=b#c",
            f"http://{PUBLIC}:8000/",
            f"http://{PUBLIC}:9999/",
            f"http://{PUBLIC}:443/",
            "https://[2606:4700::1111]/",
            "https://[64:ff9b::5db8:d822]/",  # a public IPv4 address as a network without IPv4 shows it
            "https://hooks.example/ünï",
            "https://hook_s.example/",
            "https://bücher.example/",
        ],
    )
    async def test_that_is_public_is_fine(self, url: str) -> None:
        resolver = names(hooks_example=[PUBLIC], hook_s_example=[PUBLIC], **{"xn--bcher-kva_example": [PUBLIC]})
        await Fetcher(resolver=resolver).check_address(url)

    async def test_in_a_network_of_the_setting_is_fine_and_its_neighbours_are_not(self) -> None:
        fetcher = Fetcher(allow=networks_of(["10.1.0.0/16", " 192.168.7.7 "]))
        await fetcher.check_address("http://10.1.2.3/")
        await fetcher.check_address("http://192.168.7.7/")
        await fetcher.check_address("http://[::ffff:10.1.2.3]/")
        await refused(fetcher, "http://10.2.0.1/")
        await refused(fetcher, "http://192.168.7.8/")

    def test_network_that_is_none_is_refused(self) -> None:
        with pytest.raises(Invalid):
            networks_of(["ten dot something"])


class TestFetch:
    async def test_brings_the_reply_and_keeps_the_name_in_the_host_header(self, canary: Listener) -> None:
        fetcher = Fetcher(allow=LOOPBACK, resolver=names(hooks_example=["127.0.0.1"]))
        reply = await fetcher.fetch(
            canary.url("hooks.example", "/a?b=c"), method="POST", headers={"webhook-id": "7"}, body=b"{}"
        )
        assert (reply.status, reply.body) == (200, b"secret")
        (head,) = canary.heads
        assert head.startswith("POST /a?b=c HTTP/1.1\r\n")
        assert f"Host: hooks.example:{canary.port}\r\n" in head
        assert "webhook-id: 7\r\n" in head
        assert "Content-Length: 2\r\n" in head

    async def test_tries_the_next_address_when_one_does_not_answer(self, canary: Listener) -> None:
        fetcher = Fetcher(allow=LOOPBACK, resolver=names(hooks_example=["127.0.0.9", "::1"]))
        assert (await fetcher.fetch(canary.url("hooks.example"))).status == 200

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 Temporary", "308 Permanent"])
    async def test_follows_no_redirect(self, status: str, canary: Listener) -> None:
        redirect = response(status, location=canary.url("127.0.0.1"))
        async with listening(saying(redirect)) as receiver:
            reply = await Fetcher(allow=LOOPBACK).fetch(receiver.url("127.0.0.1"))
        assert reply.status == int(status[:3])
        assert canary.connections == 0

    async def test_ignores_the_proxies_of_the_environment(
        self, canary: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://10.255.255.1:3128")
        assert (await Fetcher(allow=LOOPBACK).fetch(canary.url("127.0.0.1"))).status == 200


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(1 << 16))
        await writer.drain()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in response("200 OK", bytes(1000)):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


class TestABadReceiver:
    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(endless, id="endless body"),
            pytest.param(
                saying(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n" + bytes(100_000)), id="10 GB"
            ),
            pytest.param(saying(response("200 OK", bytes(MAX_REPLY_BYTES + 1))), id="one byte too many"),
            pytest.param(saying(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n"), id="1 MB of headers"),
            pytest.param(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort"), id="cut off"),
            pytest.param(saying(), id="closes at once"),
            pytest.param(saying(b"SSH-2.0-OpenSSH_9.6\r\n"), id="speaks something else"),
        ],
    )
    async def test_is_a_failure_with_one_sentence(self, answer: Answer) -> None:
        async with listening(answer) as receiver:
            with pytest.raises(FetchFailed) as failure:
                await Fetcher(allow=LOOPBACK).fetch(receiver.url("127.0.0.1"))
        assert failure.value.detail == FetchFailed.title

    @pytest.mark.parametrize("answer", [drip, silence])
    async def test_that_is_slow_is_left_when_the_time_is_up(self, answer: Answer) -> None:
        async with listening(answer) as receiver:
            started = time.monotonic()
            with pytest.raises(FetchFailed):
                await Fetcher(allow=LOOPBACK).fetch(receiver.url("127.0.0.1"), within_s=0.3)
        assert time.monotonic() - started < 30  # the slow one would take a hundred seconds, the silent one for ever

    async def test_that_is_not_there_fails_alike(self) -> None:
        v4, v6 = sockets_of_one_port()
        with v4, v6, pytest.raises(FetchFailed) as failure:
            await Fetcher(allow=LOOPBACK).fetch(f"http://127.0.0.1:{v4.getsockname()[1]}/")
        assert failure.value.detail == FetchFailed.title

    async def test_a_gzip_bomb_stays_packed(self) -> None:
        packed = response("200 OK", b"\x1f\x8b" + bytes(1000), content_encoding="gzip")
        async with listening(saying(packed)) as receiver:
            reply: Reply = await Fetcher(allow=LOOPBACK).fetch(receiver.url("127.0.0.1"))
            assert "Accept-Encoding: identity" in receiver.heads[0]
        assert len(reply.body) == 1002

    async def test_a_full_reply_of_the_largest_size_is_fine(self) -> None:
        async with listening(saying(response("200 OK", bytes(MAX_REPLY_BYTES)))) as receiver:
            reply = await Fetcher(allow=LOOPBACK).fetch(receiver.url("127.0.0.1"))
        assert len(reply.body) == MAX_REPLY_BYTES


@dataclass
class Certificates:
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """For models.example and other.example, by an authority that only these tests trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("models.example"), x509.DNSName("other.example")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate", folder / "key")
    return Certificates(server, ssl.create_default_context(cafile=folder / "certificate"))


RESOLVER = names(
    models_example=["127.0.0.1"],
    other_example=["127.0.0.1"],
    wrong_example=["127.0.0.1"],
    private_example=["10.0.0.1"],
    public_example=[PUBLIC],
)
MODEL = os.urandom(300_000)


@pytest.fixture
def puller(certificates: Certificates) -> Fetcher:
    return Fetcher(allow=networks_of(["127.0.0.1"]), resolver=RESOLVER, tls=certificates.client)


class TestDownload:
    async def test_brings_the_whole_file(self, puller: Fetcher, certificates: Certificates, tmp_path: Path) -> None:
        sha256 = hashlib.sha256(MODEL).hexdigest()
        async with listening(saying(response("200 OK", MODEL)), tls=certificates.server) as source:
            stored = await puller.download(
                source.url("models.example"), tmp_path / "m", max_bytes=300_000, sha256=sha256.upper()
            )
        assert (stored.size, stored.sha256) == (300_000, sha256)
        assert (tmp_path / "m").read_bytes() == MODEL

    async def test_needs_https(self, puller: Fetcher, tmp_path: Path) -> None:
        with pytest.raises(AddressRefused):
            await puller.download("http://models.example/m", tmp_path / "m", max_bytes=10)

    async def test_needs_a_certificate_for_the_name(
        self, puller: Fetcher, certificates: Certificates, tmp_path: Path
    ) -> None:
        async with listening(saying(response("200 OK", MODEL)), tls=certificates.server) as source:
            with pytest.raises(FetchFailed):
                await puller.download(source.url("wrong.example"), tmp_path / "m", max_bytes=300_000)
            assert source.heads == []

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            pytest.param(saying(response("200 OK", MODEL)), TooLarge, id="larger, and says so"),
            pytest.param(saying(b"HTTP/1.1 200 OK\r\n\r\n", MODEL), TooLarge, id="larger, and does not say so"),
            pytest.param(endless, TooLarge, id="endless"),
            pytest.param(saying(response("200 OK", b"other")), WrongChecksum, id="another file"),
            pytest.param(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut"), FetchFailed, id="cut off"),
            pytest.param(
                saying(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\ncut"), FetchFailed, id="negative length"
            ),
            pytest.param(saying(response("404 Not Found", b"{}")), FetchFailed, id="missing"),
            pytest.param(saying(response("200 OK", b"{}", content_encoding="gzip")), FetchFailed, id="packed"),
            pytest.param(saying(response("302 Found")), FetchFailed, id="redirect to nowhere"),
        ],
    )
    async def test_that_goes_wrong_leaves_no_file(
        self, answer: Answer, error: type[Exception], puller: Fetcher, certificates: Certificates, tmp_path: Path
    ) -> None:
        async with listening(answer, tls=certificates.server) as source:
            with pytest.raises(error):
                await puller.download(source.url("models.example"), tmp_path / "m", max_bytes=100_000, sha256="0" * 64)
        assert not (tmp_path / "m").exists()


class TestARedirectChain:
    async def follow(
        self, hops: list[str], puller: Fetcher, certificates: Certificates, into: Path, canary: Listener
    ) -> Listener:
        """The source sends everybody to `hops`, one after the other, then gives the file."""
        left = list(hops)

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not left:
                writer.write(response("200 OK", MODEL))
                return
            location = left.pop(0).format(here=source.port, canary=canary.port)
            writer.write(response("302 Found", location=location))

        async with listening(answer, tls=certificates.server) as source:
            await puller.download(
                source.url("models.example"), into, max_bytes=300_000, headers={"Authorization": "Bearer token"}
            )
        return source

    @pytest.mark.parametrize(
        "hops",
        [
            pytest.param(["https://127.0.0.1:{canary}/"], id="to loopback by number"),
            pytest.param(["http://models.example:{canary}/"], id="without TLS"),
            pytest.param(["https://private.example:{canary}/"], id="to a private name"),
            pytest.param(["/b", "https://other.example:{here}/", "https://[::1]:{canary}/"], id="late to loopback"),
            pytest.param(["file:///etc/passwd"], id="to a file"),
            pytest.param(["//private.example:{canary}/"], id="without a scheme"),
            pytest.param(["https://models.example:22/"], id="to another port"),
            pytest.param(["https://user@other.example:{here}/"], id="with a password"),
            pytest.param(["/again"] * 20, id="20 hops"),
        ],
    )
    async def test_that_leads_astray_is_not_followed(
        self, hops: list[str], certificates: Certificates, tmp_path: Path, canary: Listener
    ) -> None:
        # Loopback is allowed only as the address of the two names.
        async def resolve(host: str, port: int) -> list[str]:
            return ["203.0.113.7"] if host in {"127.0.0.1", "::1"} else await RESOLVER(host, port)

        puller = Fetcher(allow=networks_of(["127.0.0.1"]), resolver=resolve, tls=certificates.client)
        with pytest.raises((AddressRefused, FetchFailed)):
            await self.follow(hops, puller, certificates, tmp_path / "m", canary)
        assert canary.connections == 0
        assert not (tmp_path / "m").exists()

    async def test_of_five_is_followed_and_the_token_stays_with_its_host(
        self, puller: Fetcher, certificates: Certificates, tmp_path: Path, canary: Listener
    ) -> None:
        hops = ["/2", "https://models.example:{here}/3", "https://other.example:{here}/4", "5", "/6"]
        source = await self.follow(hops, puller, certificates, tmp_path / "m", canary)
        assert (tmp_path / "m").read_bytes() == MODEL
        assert [head.split(" ")[1] for head in source.heads] == ["/", "/2", "/3", "/4", "/5", "/6"]
        assert ["Bearer token" in head for head in source.heads] == [True, True, True, False, False, False]


class TestATarget:
    def test_shows_its_host_as_a_header_wants_it(self) -> None:
        assert target_of("https://Models.Example/a?b#c").authority == "models.example"
        assert target_of("https://models.example:8443/").authority == "models.example:8443"
        assert target_of("http://[2606:4700::1111]:8000/").authority == "[2606:4700::1111]:8000"
        assert str(target_of("https://models.example/a?b#c")) == "https://models.example/a?b"


async def refused(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(AddressRefused):
        await fetcher.check_address(url)
    with pytest.raises(AddressRefused):
        await fetcher.fetch(url)
