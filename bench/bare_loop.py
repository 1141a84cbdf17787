"""The plain limit: what two Python threads reach that do nothing but decode, resize, run the network and sort.

No server, no queue, no account; each thread has a session of one thread. It is written as one would write it by hand.
"""

import io
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from retinue.vision.package import Package


@dataclass
class BareLoop:
    package: Package
    threads: int = 2

    def __post_init__(self) -> None:
        self.sessions = [_session(self.package) for _ in range(self.threads)]
        numbers = self.package.manifest.numbers
        assert numbers is not None
        self.scale = np.float32(numbers.scale)
        self.mean, self.std = np.array(numbers.mean, np.float32), np.array(numbers.std, np.float32)
        self.input = self.package.manifest.inputs[0]

    def top_five(self, jpeg: bytes, *, thread: int = 0) -> list[tuple[str, float]]:
        (logits,) = self.sessions[thread].run(None, {self.input: self.numbers(jpeg)})
        odds = np.exp(logits[0] - logits[0].max())
        odds /= odds.sum()
        return [(self.package.labels[n], float(odds[n])) for n in np.argsort(-odds)[:5]]

    def numbers(self, jpeg: bytes) -> NDArray[np.float32]:
        opened = Image.open(io.BytesIO(jpeg))
        opened.draft("RGB", (256, 256))
        image = opened.convert("RGB")
        scale = 256 / min(image.size)
        sides = [round(side * scale) for side in image.size]
        image = image.resize((sides[0], sides[1]), Image.Resampling.BICUBIC)
        left, top = (image.width - 224) // 2, (image.height - 224) // 2
        pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
        return ((pixels * self.scale - self.mean) / self.std).transpose(2, 0, 1)[None]

    def run(self, jpegs: Sequence[bytes], *, seconds: float) -> list[float]:
        """How long each picture took, in all threads together."""
        return self._repeat(lambda n, thread: self.top_five(jpegs[n % len(jpegs)], thread=thread), seconds=seconds)

    def per_second(self, jpegs: Sequence[bytes], *, seconds: float) -> float:
        began = time.perf_counter()
        return len(self.run(jpegs, seconds=seconds)) / (time.perf_counter() - began)

    def runs_per_second(self, jpeg: bytes, *, seconds: float) -> float:
        """The network alone, in the same threads and sessions."""
        numbers = np.ascontiguousarray(self.numbers(jpeg))
        began = time.perf_counter()
        runs = self._repeat(lambda _, thread: self.sessions[thread].run(None, {self.input: numbers}), seconds=seconds)
        return len(runs) / (time.perf_counter() - began)

    def _repeat(self, do: Callable[[int, int], object], *, seconds: float) -> list[float]:
        took: list[float] = []
        end = time.perf_counter() + seconds

        def work(thread: int) -> None:
            turn = count(thread, self.threads)
            while (began := time.perf_counter()) < end:
                do(next(turn), thread)
                took.append(time.perf_counter() - began)

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(self.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return took


def _session(package: Package) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(package.weights), options, providers=["CPUExecutionProvider"])
