"""Attributes of a sliding window: kernel, strides, pads, dilations, auto_pad, ceil_mode."""

from __future__ import annotations

from halfeven.ir.window import Window
from halfeven.lower.site import NotLowered, Site


def read_window(site: Site, kernel: tuple[int, ...]) -> Window:
    """The window of a convolution or pooling node; pads become (begin, end) for each axis."""
    rank = len(kernel)
    strides = tuple(site.integers("strides", [1] * rank))
    dilations = tuple(site.integers("dilations", [1] * rank))
    pads = site.integers("pads", [0] * 2 * rank)
    auto = site.text("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same(site, kernel, strides, dilations, auto)
    elif auto == "VALID":
        pads = [0] * 2 * rank
    if min(pads, default=0) < 0:
        raise NotLowered(f"its pads {pads} are negative")
    pairs = tuple(zip(pads[:rank], pads[rank:], strict=True))
    return Window(kernel, strides, pairs, dilations, bool(site.integer("ceil_mode", 0)))


def _same(
    site: Site, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...], auto: str
) -> list[int]:
    """Pads of SAME: out = ceil(in / stride). They depend on the size, so that must be known."""
    begins, ends = [], []
    for size, k, s, d in zip(spatial_sizes(site), kernel, strides, dilations, strict=True):
        total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        small, large = total // 2, total - total // 2
        begins.append(small if auto == "SAME_UPPER" else large)
        ends.append(large if auto == "SAME_UPPER" else small)
    return begins + ends


def spatial_sizes(site: Site) -> list[int]:
    """The spatial sizes of the first operand; NotLowered where they are dynamic."""
    value = site.node.inputs[0]
    shape = [] if value is None or value.shape is None else list(value.shape)[2:]
    sizes = [n for n in shape if isinstance(n, int)]
    if not sizes or len(sizes) < len(shape):
        raise NotLowered("its padding follows from its input's size, which is not fixed")
    return sizes
