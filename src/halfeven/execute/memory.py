"""How much memory there is, so that a run that needs more is refused before it starts."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from halfeven.errors import ResourceError

MEMORY_INFO = Path("/proc/meminfo")
STATUS = Path("/proc/self/status")
CGROUPS = (  # limit and use of the process's group, versions 2 and 1
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


ALWAYS_THERE = 64 << 20  # below this, asking would cost more than it tells


def available_bytes() -> int | None:
    """Bytes that this process may still take: of the machine, its control group and its own limit; None if unknown."""
    found = [n for n in (_of_machine(), *(_of_group(*files) for files in CGROUPS), _of_process()) if n is not None]
    return min(found, default=None)


def check_memory(needed: int, what: str) -> None:
    """Raise ResourceError where ``what`` needs more bytes than there are."""
    available = available_bytes() if needed > ALWAYS_THERE else None
    if available is not None and needed > available:
        raise ResourceError(what, needed, available)


def return_free_memory() -> None:
    """Give pages back that loading a model took and freed again: the C library would keep them for itself."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim is not None:
            trim(0)


def _of_machine() -> int | None:
    return _kilobytes(MEMORY_INFO, "MemAvailable:")


def _of_group(limit: Path, used: Path) -> int | None:
    try:
        return max(0, int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return None


def _of_process() -> int | None:
    try:
        import resource  # noqa: PLC0415  not on every system
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _kilobytes(STATUS, "VmSize:")
    return None if limit == resource.RLIM_INFINITY or used is None else max(0, limit - used)


def _kilobytes(file: Path, key: str) -> int | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(key)), None)
