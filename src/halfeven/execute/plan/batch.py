"""How a batch of independent samples is cut: most run side by side, each on one thread; a few left over, on all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CACHED_BYTES = 512 << 10  # of the tensors of a chunk: small networks run several samples in one go


@dataclass(frozen=True)
class Part:
    """Samples ``[begin, end)`` as ``runs`` runs side by side, each of equally many of them."""

    begin: int
    end: int
    runs: int

    @property
    def size(self) -> int:
        """Samples of a run."""
        return (self.end - self.begin) // self.runs


def parts(samples: int, threads: int, arena_bytes: int) -> Iterator[Part]:
    """Cut a batch, where one sample's tensors take ``arena_bytes``.

    Side by side, threads never wait for each other, so as many samples as fill all threads run like that. What is left
    over runs one by one with all threads, unless it nearly fills them.
    """
    left = samples % threads
    alone = left if 4 * left <= 3 * threads else 0
    together = samples - alone
    size = 1
    while 2 * size * max(arena_bytes, 1) <= CACHED_BYTES and 2 * size * threads <= together:
        size *= 2
    chunked = together // size * size
    if chunked:
        yield Part(0, chunked, chunked // size)
    if together > chunked:
        yield Part(chunked, together, together - chunked)
    for k in range(together, samples):
        yield Part(k, k + 1, 1)
