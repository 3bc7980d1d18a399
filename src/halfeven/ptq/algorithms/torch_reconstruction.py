"""The learning part of block reconstruction, in PyTorch. Source: docs/math/block-reconstruction.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from halfeven.numerics import affine
from halfeven.numerics.qtype import QType
from halfeven.ops import torch_affine
from halfeven.ptq.algorithms.sections import Section
from halfeven.ptq.draft import Draft, bias_of
from halfeven.ptq.placement import PlacedBlock, Product

STRETCH = 1.2  # of the sigmoid beyond [0, 1], so that its ends are reached
PENALTY = 0.01  # of weights between two codes, in the last steps
WARM_UP = 0.2  # part of the steps without it
SHARPNESS = (20.0, 2.0)  # of the penalty, at its first step and at the last
NEAR = 0.1  # from codes that are not the nearest, at the start
NEVER_SURE = 0.02  # the least distance at the start from either code
POINTWISE = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Relu": functional.relu,
    "Sigmoid": torch.sigmoid,
    "HardSwish": functional.hardswish,
    "Identity": lambda x: x,
    "GlobalAveragePool": lambda x: x.mean(dim=tuple(range(2, x.ndim)), keepdim=True),
}
KNOWN = {*POINTWISE, "Clip", "Conv", "Gemm", "MatMul", "Flatten"}
Tensors = dict[str, Tensor]
Reals = NDArray[np.float64]


def is_unknown(node: onnx.NodeProto) -> bool:
    """Whether the node is none of those that are learned through."""
    attributes = _attributes(node)
    padded = attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    return node.op_type not in KNOWN or padded or (node.op_type == "Flatten" and attributes.get("axis", 1) != 1)


def learn(
    draft: Draft, section: Section, taught: Sequence[int], steps: int, batch: int, rate: float, seed: int
) -> dict[Product, NDArray[Any]]:
    """Codes of the section's weights, each one of the two around its float weight, or the one that is there.

    One thread: the sums that torch divides among several depend on their number.
    """
    with _one_thread():
        roundings = {product: _Rounding(draft, product) for product in section.products}
        optimizer = torch.optim.Adam([r.slack for r in roundings.values()], lr=rate)
        network = _Network(draft, section)
        generator = np.random.default_rng(seed)
        energy = np.mean([sum(float(np.square(v).mean()) for v in section.expected[k].values()) for k in taught]) or 1.0
        for step in range(steps):
            drawn = [taught[k] for k in generator.permutation(len(taught))[:batch]]
            loss = network.error(drawn, {p.node: r.weight() for p, r in roundings.items()}) / energy
            progress = (step / steps - WARM_UP) / (1 - WARM_UP)
            if progress > 0:
                sharp = SHARPNESS[0] + (SHARPNESS[1] - SHARPNESS[0]) * progress
                loss = loss + PENALTY * sum(r.undecided(sharp) for r in roundings.values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return {product: rounding.codes() for product, rounding in roundings.items()}


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Rounding:
    """A weight whose codes are ``floor + h``, h in [0, 1] learned."""

    def __init__(self, draft: Draft, product: Product) -> None:
        stored = draft.constants.weights[product]
        self._qtype, self._dtype = stored.params.qtype, stored.codes.dtype
        scale = stored.params.expanded(stored.codes.shape)[0].astype(np.float64)
        real = draft.arrays[product.weight].astype(np.float64) / scale
        codes = stored.codes.astype(np.float64)
        up = real >= codes
        floor = np.where(up, codes, codes - 1)
        part = _start(real, codes, floor, self._qtype)
        stretched = (part + (STRETCH - 1) / 2) / STRETCH
        self._floor, self._scale = torch.tensor(floor, dtype=torch.float32), torch.tensor(scale, dtype=torch.float32)
        slack = torch.tensor(np.log(stretched / (1 - stretched)), dtype=torch.float32)
        self.slack = slack.requires_grad_()

    def _part(self) -> Tensor:
        return torch.clamp(torch.sigmoid(self.slack) * STRETCH - (STRETCH - 1) / 2, 0, 1)

    def weight(self) -> Tensor:
        """Real weights, between two codes."""
        return self._scale * torch.clamp(self._floor + self._part(), self._qtype.qmin, self._qtype.qmax)

    def undecided(self, sharpness: float) -> Tensor:
        """Mean of ``1 - |2h - 1|^sharpness``."""
        return 1 - (2 * self._part() - 1).abs().pow(sharpness).mean()

    def codes(self) -> NDArray[Any]:
        """The nearer code of each."""
        found = torch.clamp(self._floor + (self._part() >= 0.5), self._qtype.qmin, self._qtype.qmax)  # noqa: PLR2004
        return np.asarray(found.detach().numpy()).astype(self._dtype)


def _start(real: Reals, codes: Reals, floor: Reals, qtype: QType) -> Reals:
    """``h`` on the side of the codes: at the float weights where codes are the nearest, else next to the codes.

    Codes of another algorithm make up for each other: taken half way to the float weights they would not.
    """
    nearest = np.clip(np.rint(real), qtype.qmin, qtype.qmax)
    off = real - floor if np.array_equal(nearest, codes) else np.where(floor == codes, NEAR, 1 - NEAR)
    return np.where(floor == codes, np.clip(off, NEVER_SURE, 0.49), np.clip(off, 0.51, 1 - NEVER_SURE))


class _Network:
    """The section with codes between its blocks."""

    def __init__(self, draft: Draft, section: Section) -> None:
        self._draft, self._section = draft, section
        self._by_name = {node.name: node for node in section.nodes}
        self._constants: Tensors = {
            n: torch.tensor(np.array(a)) for n, a in draft.arrays.items() if a.dtype == np.float32
        }
        for name in {name for block in section.blocks for name in block.constants}:
            one = draft.constants.others[name]
            self._constants[name] = torch.tensor(affine.dequantize(one.codes, one.params))
        self._biases = {p.node: torch.tensor(np.array(_bias(draft, p))) for p in section.products}
        self._products = {product.node: product for product in section.products}

    def error(self, samples: Sequence[int], weights: Mapping[str, Tensor]) -> Tensor:
        """Mean squared error of the section's results."""
        total = torch.zeros(())
        for group in _of_one_shape(self._section, samples):
            values = {n: _batch(self._section.reads, group, n) for n in self._section.reads[0]}
            for block in self._section.blocks:
                self._run(block, values, weights)
            for name in self._section.expected[0]:
                expected = _batch(self._section.expected, group, name)
                total = total + (values[name] - expected).square().mean() * (len(group) / len(samples))
        return total

    def _run(self, block: PlacedBlock, values: Tensors, weights: Mapping[str, Tensor]) -> None:
        activations, profile = self._draft.activations, self._draft.profile
        inside = dict(values)
        for name in block.operands:
            inside[name] = torch_affine.fake_quantize(values[name], activations.read_by(block.node, name), profile)
        for name in block.nodes:
            node = self._by_name[name]
            inside[node.output[0]] = self._compute(node, inside, weights)
        result = block.results[0]
        own = activations.own.get(result)
        values[result] = inside[result] if own is None else torch_affine.fake_quantize(inside[result], own, profile)

    def _compute(self, node: onnx.NodeProto, values: Tensors, weights: Mapping[str, Tensor]) -> Tensor:
        def read(name: str) -> Tensor:
            return values[name] if name in values else self._constants[name]

        product = self._products.get(node.name)
        if product is not None:
            result = _product(node, read(product.x), weights[node.name])
            bias = self._biases[node.name]
            return result + (bias.reshape(-1, *[1] * (result.ndim - 2)) if node.op_type == "Conv" else bias)
        if any(p.bias_node == node.name for p in self._products.values()):
            return read(next(name for name in node.input if name in values))  # its bias is in the product already
        if node.op_type == "Clip":
            low, high = (read(n) if n else None for n in (*node.input[1:], "", "")[:2])
            return torch.clamp(read(node.input[0]), low, high)
        if node.op_type == "Flatten":
            return read(node.input[0]).flatten(1)
        return POINTWISE[node.op_type](*(read(name) for name in node.input))


def _bias(draft: Draft, product: Product) -> NDArray[np.float32]:
    return bias_of(draft, product, draft.arrays[product.weight].shape[product.axis])


def _product(node: onnx.NodeProto, x: Tensor, weight: Tensor) -> Tensor:
    attributes = _attributes(node)
    if node.op_type != "Conv":
        return x @ (weight.T if attributes.get("transB", 0) else weight)
    rank = weight.ndim - 2
    pads = attributes.get("pads", [0] * 2 * rank)
    ends = [n for k in reversed(range(rank)) for n in (pads[k], pads[k + rank])]
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    strides, dilations = (attributes.get(name, [1] * rank) for name in ("strides", "dilations"))
    padded = functional.pad(x, ends) if any(ends) else x
    return convolve(padded, weight, None, strides, 0, dilations, attributes.get("group", 1))


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _batch(values: Sequence[Mapping[str, NDArray[Any]]], samples: Sequence[int], name: str) -> Tensor:
    arrays = [values[k][name] for k in samples]
    together = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return torch.from_numpy(np.array(together, np.float32))


def _of_one_shape(section: Section, samples: Sequence[int]) -> list[list[int]]:
    """Samples that can be run at once: of the same sizes behind a first axis that all their tensors share."""
    groups: dict[Any, list[int]] = {}
    for k in samples:
        arrays = {**section.reads[k], **section.expected[k]}
        firsts = {a.shape[:1] for a in arrays.values()}
        alone = k if len(firsts) > 1 or () in firsts else None
        groups.setdefault((alone, *((n, a.shape[1:]) for n, a in arrays.items())), []).append(k)
    return list(groups.values())
