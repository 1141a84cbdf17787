"""The Open Inference Protocol, against the network alone and against MLServer in the same rounds.

    python -m bench.protocol [--rounds 5] [--seconds 3]

Every one of ours is paid for and counted; MLServer keeps nothing and knows nobody. It reads numbers as JSON only, so
that is what both are compared with.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from bench.bare_loop import BareLoop
from bench.client import ask_all, request_of
from bench.figures import Figure, give
from bench.pictures import jpegs
from bench.server import serving
from retinue.vision import builtin_packages
from tests.protocol.mlserver import mlserver
from tests.protocol.speaking import HEADER, element

MODEL = "efficientnet-lite0"
PATH = f"/v2/models/{MODEL}/infer"
JSON = "application/json"
SHAPE = [1, 3, 224, 224]
PROOF = b'"model_name"'
CLIENTS = 8


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=3.0)
    given = asked.parse_args()
    pictures = jpegs(16, width=640, height=480)
    with tempfile.TemporaryDirectory() as temporary, serving(rate_limit="1000000", rate_burst="100000") as server:
        package = builtin_packages(Path(temporary))[MODEL]
        assert package.weights is not None
        bare, token = BareLoop(package), server.rich_person("protocol")
        tensors = [bare.numbers(one) for one in pictures]
        folder = Path(temporary) / "mlserver"
        folder.mkdir()
        with mlserver(package.weights, folder) as url:
            other = urlsplit(url).port
            assert other is not None
            binary = [tensor_request(one.tobytes(), server.port, token) for one in tensors]
            encoded = [picture_request(one, server.port, token) for one in pictures]
            ours, theirs = ([json_request(one, port, token) for one in tensors] for port in (server.port, other))
            rates: dict[str, list[float]] = defaultdict(list)
            for turn in range(given.rounds + 1):
                told = {
                    "network": bare.runs_per_second(pictures[0], seconds=given.seconds),
                    "binary": rate(server.port, binary, given.seconds),
                    "loop": bare.per_second(pictures, seconds=given.seconds),
                    "pictures": rate(server.port, encoded, given.seconds),
                    "ours": rate(server.port, ours, given.seconds),
                    "theirs": rate(other, theirs, given.seconds),
                }
                for name, value in told.items() if turn else ():  # the first round warms up
                    rates[name].append(value)
    return give("protocol", figures_of(rates))


def figures_of(rates: dict[str, list[float]]) -> list[Figure]:
    def beside(ours: str, theirs: str) -> tuple[float, str]:
        ratio = median(one / other for one, other in zip(rates[ours], rates[theirs], strict=True))
        return round(ratio, 3), f"{median(rates[ours]):.1f} against {median(rates[theirs]):.1f} a second"

    clients = f"{CLIENTS} clients"
    network, network_words = beside("binary", "network")
    loop, loop_words = beside("pictures", "loop")
    peer, peer_words = beside("ours", "theirs")
    return [
        Figure(f"binary tensors, {clients}", network, "× the network alone", remark=network_words),
        Figure(f"encoded pictures, {clients}", loop, remark=loop_words),
        Figure(f"numbers as JSON, {clients}", peer, "× MLServer", floor=1.0, remark=peer_words),
    ]


def tensor_request(tensor: bytes, port: int, token: str) -> bytes:
    return binary_request(SHAPE, "FP32", tensor, port, token)


def picture_request(picture: bytes, port: int, token: str) -> bytes:
    return binary_request([1], "BYTES", element(picture), port, token)


def binary_request(shape: list[int], datatype: str, raw: bytes, port: int, token: str) -> bytes:
    told = {"name": "input", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [told], "parameters": {"binary_data_output": True}}).encode()
    more = f"{HEADER}: {len(head)}\r\n"
    return request_of(PATH, head + raw, token=token, content_type="application/octet-stream", port=port, more=more)


def json_request(tensor: NDArray[np.float32], port: int, token: str) -> bytes:
    told = {"name": "input", "shape": SHAPE, "datatype": "FP32", "data": tensor.ravel().tolist()}
    return request_of(PATH, json.dumps({"inputs": [told]}).encode(), token=token, content_type=JSON, port=port)


def rate(port: int, requests: list[bytes], seconds: float) -> float:
    tally = asyncio.run(ask_all(port, requests, clients=CLIENTS, seconds=seconds, proof=PROOF))
    if tally.wrong:
        raise SystemExit(f"wrong answer: {tally.wrong[0]}")
    return tally.per_second


if __name__ == "__main__":
    sys.exit(main())
