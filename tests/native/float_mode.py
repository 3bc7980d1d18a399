"""Floating-point modes that a caller may have left behind: another rounding, subnormals flushed."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

LIBM = ctypes.CDLL("libm.so.6")
X86 = platform.machine() in {"x86_64", "AMD64"}
# glibc's fenv_t: on x86-64 the SSE mode word lies at byte 28, on AArch64 the control word at byte 0.
MODE_OFFSET = 28 if X86 else 0
ROUNDING = {"up": 0x4000, "down": 0x2000, "zero": 0x6000} if X86 else {"up": 1 << 22, "down": 2 << 22, "zero": 3 << 22}
FLUSH = 0x8040 if X86 else 1 << 24
MODES = {**ROUNDING, "flush": FLUSH, "zero and flush": ROUNDING["zero"] | FLUSH}


def mode() -> int:
    """The thread's mode word now."""
    return int.from_bytes(_environment()[MODE_OFFSET : MODE_OFFSET + 4], "little")


def _environment() -> bytearray:
    buffer = (ctypes.c_char * 64)()
    LIBM.fegetenv(buffer)
    return bytearray(bytes(buffer))


@contextmanager
def float_mode(name: str) -> Iterator[None]:
    """Run a block in the mode named, one of MODES."""
    before = _environment()
    changed = bytearray(before)
    word = int.from_bytes(before[MODE_OFFSET : MODE_OFFSET + 4], "little") | MODES[name]
    changed[MODE_OFFSET : MODE_OFFSET + 4] = word.to_bytes(4, "little")
    LIBM.fesetenv((ctypes.c_char * 64).from_buffer(changed))
    try:
        yield
    finally:
        LIBM.fesetenv((ctypes.c_char * 64).from_buffer(before))
