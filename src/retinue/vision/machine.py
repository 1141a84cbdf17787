"""What this process may use of the machine, and how two machines of one speed are recognised."""

import hashlib
import math
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


@cache
def usable_cpus() -> int:
    """By affinity and by container quota, not by what the host has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota(CGROUP)
    return max(1, min(allowed, math.ceil(quota))) if quota else max(1, allowed)


@cache
def usable_memory_bytes() -> int:
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(installed, _memory_limit(CGROUP) or installed)


@cache
def fingerprint() -> str:
    """What a measured speed depends on: the processor, how much of it may be used, and the runtime's version."""
    facts = (_processor(), str(usable_cpus()), " ".join(runtime()), platform.system())
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


@cache
def runtime() -> tuple[str, str]:
    """The distribution that brings onnxruntime, and its version: there is one for each kind of accelerator."""
    for name in ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"):
        try:
            return name, version(name)
        except PackageNotFoundError:
            continue
    return "onnxruntime", "unknown"


@cache
def sums_int8_exactly() -> bool:
    """Processors without VNNI, or Arm's dot product, overflow in sums of eight-bit products."""
    told = set(_words(Path("/proc/cpuinfo")))
    return not told.isdisjoint({"avx512_vnni", "avx_vnni", "asimddp"})


def _cpu_quota(cgroup: Path) -> float | None:
    """Processors' worth of time, in version 2 or version 1 of Linux's control groups."""
    told = _words(cgroup / "cpu.max")
    if len(told) == 2 and told[0].isdigit():
        return int(told[0]) / int(told[1])
    quota, period = _words(cgroup / "cpu/cpu.cfs_quota_us"), _words(cgroup / "cpu/cpu.cfs_period_us")
    if quota and period and quota[0].isdigit():
        return int(quota[0]) / int(period[0])
    return None


def _memory_limit(cgroup: Path) -> int | None:
    told = _words(cgroup / "memory.max") or _words(cgroup / "memory/memory.limit_in_bytes")
    return int(told[0]) if told and told[0].isdigit() else None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text("ascii").split()
    except OSError:
        return []


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return platform.processor()
    lines = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    known = {name.strip(): value.strip() for name, value in lines.items()}
    return " ".join([known.get("model name", platform.machine()), known.get("flags", "")])
