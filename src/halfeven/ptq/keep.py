"""A few samples of a stream, kept for a second look."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

import numpy as np

Sample = Mapping[str, np.ndarray]


MOST_BYTES = 1 << 29


class Keeper:
    """The ``most`` samples with the least SHA-256: a draw that the data fix, in any order, and not the position in it.

    Of equal samples one is kept. Samples are fewer where they would take more than ``most_bytes``, and one at least.
    """

    def __init__(self, most: int, most_bytes: int = MOST_BYTES) -> None:
        self.most, self.most_bytes = most, most_bytes
        self._kept: list[tuple[bytes, Sample]] = []
        self._dropped: bytes | None = None  # the least digest for which there was no room: nor is there beyond it

    def watch(self, stream: Iterable[Sample]) -> Iterator[Sample]:
        """Hand the stream on, and keep what is to be kept."""
        for sample in stream:
            self._see(sample)
            yield sample

    def _see(self, sample: Sample) -> None:
        if not self.most:
            return
        digest = digest_of(sample)
        if (self._dropped is not None and digest >= self._dropped) or any(digest == known for known, _ in self._kept):
            return
        copy = {name: np.array(array) for name, array in sample.items()}  # a stream may hand out one buffer again
        insort(self._kept, (digest, copy), key=lambda pair: pair[0])
        sizes = accumulate(bytes_of(kept) for _, kept in self._kept[: self.most])
        room = max(1, sum(size <= self.most_bytes for size in sizes))
        if room < len(self._kept):
            self._dropped = self._kept[room][0]
            del self._kept[room:]

    def expected_bytes(self, sample: Sample) -> int:
        """What is held of many samples such as this one."""
        size = bytes_of(sample)
        return min(self.most * size, max(self.most_bytes, size))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The kept ones, in the order of their digests."""
        return tuple(sample for _, sample in self._kept)


def bytes_of(sample: Sample) -> int:
    """In all of its arrays."""
    return sum(array.nbytes for array in sample.values())


def digest_of(sample: Sample) -> bytes:
    """SHA-256 of names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(sample):
        array = np.ascontiguousarray(sample[name])
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.digest()
