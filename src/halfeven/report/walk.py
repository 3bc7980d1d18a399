"""One sample through float model and integer program in step, so that neither's tensors are all held at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from halfeven.errors import NotANumberError
from halfeven.execute.run import Backend, run_step
from halfeven.ir.instructions import Instruction, operands, results
from halfeven.ir.program import Program
from halfeven.ops import numpy_native
from halfeven.report.layer_sums import Seen
from halfeven.report.layers import Layer
from halfeven.report.weights import Weight

Array = NDArray[Any]
Shape = tuple[int, ...]


class Plan:
    """What every sample's walk needs to know; made once."""

    def __init__(
        self, program: Program, layers: Sequence[Layer], weights: Mapping[str, Weight], backend: Backend
    ) -> None:
        self.program = program
        self.weights = weights
        self.backend = backend
        self.layers = tuple(layers)
        self.writer = {name: i for i in program for name in results(i)}
        self.by_name: dict[str, list[Layer]] = {}
        for layer in layers:
            self.by_name.setdefault(layer.name, []).append(layer)
        compared = {layer.tensor for layer in layers}
        self.reads = {layer.tensor: self._paired_operands(layer.instruction, compared) for layer in layers}
        self.ideal_uses = Counter(name for names in self.reads.values() for name in names)
        self.run_uses = Counter(name for i in program for name in operands(i)) + Counter(compared)

    def _paired_operands(self, instruction: Instruction, compared: set[str]) -> frozenset[str]:
        """The compared tensors that reach an instruction directly, or through instructions that are not compared."""
        found: set[str] = set()
        for name in operands(instruction):
            if name in compared:
                found.add(name)
            elif name in self.writer:
                found |= self._paired_operands(self.writer[name], compared)
        return frozenset(found)


class Walk:
    """One sample's walk. Give :meth:`see` the float tensors in the order of the float model.

    The program runs just as far as the next comparison needs; a tensor goes when its last reader has it.

    Parameters
    ----------
    take : called with each layer and what was seen of it; must not keep the arrays.

    Attributes
    ----------
    shapes : of every tensor of the program that was computed.
    mismatched : by a layer's index, its shape in the quantized and in the float run, where they differ.
    """

    def __init__(self, plan: Plan, feeds: Mapping[str, Array], take: Callable[[Layer, Seen], None]) -> None:
        self._plan = plan
        self._take = take
        self._feeds = feeds
        self._next = 0
        self._run: dict[str, Array] = {**feeds, **plan.program.constants}
        self._run_uses = plan.run_uses.copy()
        self._ideal: dict[str, Array] = {}
        self._ideal_uses = plan.ideal_uses.copy()
        self.shapes: dict[str, Shape] = {name: a.shape for name, a in self._run.items()}
        self.mismatched: dict[int, tuple[Shape, Shape]] = {}

    def see(self, name: str, real: Array) -> None:
        """Compare the layers that stand for the float model's tensor ``name``."""
        for layer in self._plan.by_name.get(name, ()):
            run = self._advance_to(layer.tensor)
            if run.shape == real.shape:
                ideal = self._quantized(layer, real)
                self._take(layer, Seen(real, run, self._alone(layer), ideal, self._weight_energy(layer)))
                if self._ideal_uses[layer.tensor]:
                    self._ideal[layer.tensor] = ideal.copy() if ideal is real else ideal
            else:
                self.mismatched[layer.index] = run.shape, real.shape
            self._release(layer)

    def _quantized(self, layer: Layer, real: Array) -> Array:
        if layer.params is None:
            return real
        try:
            return numpy_native.quantize(real, layer.params, self._plan.program.profile)
        except NotANumberError as error:
            raise NotANumberError(error.count, layer.name) from None

    def finish(self) -> None:
        """Run what is left of the program: nothing in it is compared, but its shapes count."""
        while self._next < len(self._plan.program):
            self._advance()

    def _advance_to(self, tensor: str) -> Array:
        while tensor not in self._run:
            self._advance()
        return self._run[tensor]

    def _advance(self) -> None:
        instruction = self._plan.program.instructions[self._next]
        self._next += 1
        arrays = [self._run[name] for name in operands(instruction)]
        made = dict(zip(results(instruction), run_step(instruction, arrays, self._plan.backend), strict=True))
        self._run.update(made)
        self.shapes.update({name: array.shape for name, array in made.items()})
        for name in operands(instruction):
            self._use(self._run, self._run_uses, name)

    def _alone(self, layer: Layer) -> Array | None:
        """The layer's result when what it reads is the float model's, on the codes of what it reads."""
        arrays = [self._ideal_of(name) for name in operands(layer.instruction)]
        known = [a for a in arrays if a is not None]
        return self._step(layer.instruction, known, layer.tensor) if len(known) == len(arrays) else None

    def _weight_energy(self, layer: Layer) -> float | None:
        weight = self._plan.weights.get(layer.made_by.name)
        if weight is None or weight.piece is None or weight.qtype is None:
            return None
        name = operands(layer.made_by)[0]
        codes, tensor = self._ideal_of(name), self._plan.program.tensors[name]
        if codes is None:
            return None
        return weight.error_energy(codes if tensor.params is None else numpy_native.dequantize(codes, tensor.params))

    def _ideal_of(self, name: str) -> Array | None:
        for known in (self._ideal, self._feeds, self._plan.program.constants):
            if name in known:
                return known[name]
        if name in self._plan.reads or name not in self._plan.writer:
            return None  # compared, but the float model has not shown it yet
        writer = self._plan.writer[name]
        arrays = [self._ideal_of(n) for n in operands(writer)]
        known_arrays = [a for a in arrays if a is not None]
        return self._step(writer, known_arrays, name) if len(known_arrays) == len(arrays) else None

    def _step(self, instruction: Instruction, arrays: Sequence[Array], tensor: str) -> Array:
        made: tuple[Array, ...] = run_step(instruction, arrays, self._plan.backend)
        return made[results(instruction).index(tensor)]

    def _release(self, layer: Layer) -> None:
        self._use(self._run, self._run_uses, layer.tensor)
        for name in self._plan.reads[layer.tensor]:
            self._use(self._ideal, self._ideal_uses, name)

    @staticmethod
    def _use(store: dict[str, Array], uses: Counter[str], name: str) -> None:
        uses[name] -= 1
        if uses[name] <= 0:
            store.pop(name, None)
