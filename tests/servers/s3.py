"""A real S3 store for tests: the given one under a prefix of our own, or OpenStack Swift from PyPI as our children."""

import contextlib
import itertools
import os
import pwd
import socket
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import obstore
from obstore.store import S3Store

from tests.servers.environments import environment_of
from tests.servers.processes import ServerDidNotStart, free_port, kill, own_folder, start_on_leash, stop, wait_until

KEY, SECRET, REGION = "test:tester", "testing", "us-east-1"
PATIENCE_S = 120


@dataclass
class S3Server:
    """An S3 store and how to talk to it. `fresh_url()` is what `open_storage` takes."""

    endpoint: str
    key: str
    secret: str
    bucket: str
    region: str = REGION
    prefix: str = ""
    is_real: bool = True
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    start: Callable[[], None] = lambda: None
    _count: Iterator[int] = field(default_factory=itertools.count)

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": self.region}

    def fresh_url(self) -> str:
        """A place in the bucket that no other test uses."""
        place = "/".join(part for part in (self.prefix, f"{uuid.uuid4().hex[:8]}-{next(self._count)}") if part)
        return f"s3://{self.bucket}/{place}?{urlencode({'endpoint': self.endpoint})}"

    def kill(self) -> None:
        """The store is gone until `start()`, which finds its files again; only for a store of the test's own."""
        for process in self.processes:
            kill(process)


@contextlib.contextmanager
def s3_given_or_own(given_url: str | None, *, may_fall_back: bool) -> Iterator[S3Server]:
    """`given_url` is `s3://bucket/prefix?endpoint=…`, its credentials AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
    if given_url is not None:
        yield _given(given_url)
        return
    with contextlib.ExitStack() as until_done:
        try:
            server = until_done.enter_context(own_swift())
        except ServerDidNotStart as failure:
            if not may_fall_back:
                raise
            print(
                f"\nWARNING: Swift did not start, moto stands in for S3 and checks no signatures: {failure}",
                file=sys.stderr,
            )
            server = until_done.enter_context(own_moto())
        yield server


@contextlib.contextmanager
def own_swift() -> Iterator[S3Server]:
    """Swift with its S3 face: account, container, object and proxy server, each one process; ready in about 1.5 s."""
    programs = environment_of("swift")
    with own_folder("swift") as folder:
        ports = {name: free_port() for name in ("account", "container", "object", "proxy")}
        _write_swift_configuration(folder, ports)
        _build_rings(programs, folder, ports)
        server = S3Server(f"http://127.0.0.1:{ports['proxy']}", KEY, SECRET, "retinue")
        server.start = partial(_start_all_of_swift, server, programs, folder, ports)
        try:
            server.start()
            _create_bucket(server)
            yield server
        finally:
            for process in server.processes:
                stop(process)


@contextlib.contextmanager
def own_moto() -> Iterator[S3Server]:
    """An imitation that accepts wrong secrets: good for a laptop where Swift does not start, never for CI."""
    programs = environment_of("moto")
    with own_folder("moto") as folder:
        port, log = free_port(), folder / "log"
        command: list[str | Path] = [programs / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
        process = start_on_leash(command, folder=folder, log=log, environment={"PATH": os.defpath})
        server = S3Server(f"http://127.0.0.1:{port}", "any", "any", "retinue", is_real=False, processes=[process])
        try:
            wait_until(partial(_listens, port), process=process, log=log, name="moto", patience_s=PATIENCE_S)
            _create_bucket(server)
            yield server
        finally:
            stop(process)


def _given(url: str) -> S3Server:
    parts = urlsplit(url)
    environment = os.environ
    return S3Server(
        endpoint=parse_qs(parts.query).get("endpoint", [""])[0],
        key=environment.get("AWS_ACCESS_KEY_ID", ""),
        secret=environment.get("AWS_SECRET_ACCESS_KEY", ""),
        bucket=parts.netloc,
        region=environment.get("AWS_REGION", REGION),
        prefix=parts.path.strip("/"),
    )


COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/node
mount_check = false
log_address = {folder}/no-syslog
log_level = WARNING
fallocate_reserve = 0
disable_fallocate = true
"""

STORE = """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

FILTERS = ["catch_errors", "gatekeeper", "memcache", "listing_formats", "bulk", "s3api", "tempauth", "copy", "slo"]

FILTER_SETTINGS = {
    "s3api": f"s3_acl = no\nlocation = {REGION}\nmin_segment_size = 5242880\ncheck_bucket_owner = no\n",
    "tempauth": f"user_{KEY.replace(':', '_')} = {SECRET} .admin\n",
}

PROXY = f"""
[pipeline:main]
pipeline = {" ".join(FILTERS)} proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
""" + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n{FILTER_SETTINGS.get(name, '')}" for name in FILTERS)

CLUSTER = """
[swift-hash]
swift_hash_path_suffix = suffix
swift_hash_path_prefix = prefix
[storage-policy:0]
name = default
default = yes
"""

BUILD_RINGS = """
import sys
from swift.common.ring import RingBuilder

folder, *pairs = sys.argv[1:]
for pair in pairs:
    name, port = pair.split("=")
    ring = RingBuilder(4, 1, 0)
    ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "d1", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(f"{folder}/{name}.ring.gz")
"""


def _write_swift_configuration(folder: Path, ports: dict[str, int]) -> None:
    (folder / "node" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(CLUSTER)
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError as missing:
        raise ServerDidNotStart(f"Swift needs a name for user {os.getuid()} in the passwd file") from missing
    for name, port in ports.items():
        rest = PROXY if name == "proxy" else STORE.format(name=name)
        (folder / f"{name}.conf").write_text(COMMON.format(port=port, user=user, folder=folder) + rest)


def _build_rings(programs: Path, folder: Path, ports: dict[str, int]) -> None:
    pairs = [f"{name}={port}" for name, port in ports.items() if name != "proxy"]
    command: list[str | Path] = [programs / "python", "-c", BUILD_RINGS, folder, *pairs]
    built = subprocess.run(
        command, env={"PATH": os.defpath, "SWIFT_DIR": str(folder)}, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        raise ServerDidNotStart(f"Swift's rings could not be built:\n{built.stderr[-2000:]}")


def _start_all_of_swift(server: S3Server, programs: Path, folder: Path, ports: dict[str, int]) -> None:
    """The proxy last: one that once met a closed port avoids that server for a minute."""
    stores = [name for name in ports if name != "proxy"]
    server.processes.clear()
    for names in (stores, ["proxy"]):
        started = {name: _start_swift(programs, folder, name) for name in names}
        server.processes += started.values()
        for name, process in started.items():
            log, title = folder / f"{name}.log", f"Swift's {name} server"
            wait_until(partial(_listens, ports[name]), process=process, log=log, name=title, patience_s=PATIENCE_S)


def _start_swift(programs: Path, folder: Path, name: str) -> subprocess.Popen[bytes]:
    return start_on_leash(
        [programs / f"swift-{name}-server", folder / f"{name}.conf"],
        folder=folder,
        log=folder / f"{name}.log",
        environment={"PATH": os.defpath, "HOME": str(folder), "SWIFT_DIR": str(folder)},
    )


def _create_bucket(server: S3Server) -> None:
    """By a signed link, since obstore makes no buckets and Swift's own log-in wants a memcached."""
    store = S3Store(
        server.bucket,
        endpoint=server.endpoint,
        access_key_id=server.key,
        secret_access_key=server.secret,
        region=server.region,
        client_options={"allow_http": True},
    )
    link = obstore.sign(store, "PUT", "", timedelta(minutes=1))
    with urllib.request.urlopen(urllib.request.Request(link, method="PUT"), timeout=60):
        pass


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
