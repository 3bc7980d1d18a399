"""Models with some knobs turned, made and run in integers on samples that are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.execute.engine import Engine
from halfeven.interop import to_bytes
from halfeven.lower import lower
from halfeven.ptq.difference import Difference, Measure
from halfeven.ptq.keep import Sample
from halfeven.ptq.quantize import Calibrated
from halfeven.report.sensitivity.found import worst
from halfeven.search.found import Judged
from halfeven.search.knobs import Knob, Knobs

Array = NDArray[Any]
Wide = frozenset[Knob]


class Judge:
    """Remembers what it has judged: asking again costs nothing."""

    def __init__(
        self,
        calibrated: Calibrated,
        knobs: Knobs,
        samples: Sequence[Sample],
        expected: Sequence[Mapping[str, Array]],
        measure: Measure,
    ) -> None:
        self._calibrated, self._knobs, self._measure = calibrated, knobs, measure
        self._samples = list(zip(samples, expected, strict=True))
        self.known: dict[Wide, Judged] = {}

    def __call__(self, wide: Collection[Knob]) -> Judged:
        """The model in which these have more bits."""
        key = frozenset(wide)
        if key not in self.known:
            model = self._made(key)
            self.known[key] = Judged(key, self.error_of(model), self._knobs.wide_share(key), len(to_bytes(model)))
        return self.known[key]

    def error_of(self, model: ir.Model) -> float:
        """At the output of a quantized model that suffers most."""
        return worst(self._differences(model), self._measure)

    def _made(self, wide: Wide) -> ir.Model:
        plan = self._calibrated.plan_with(self._knobs.config_of(wide))
        return self._calibrated.write(self._calibrated.draft(plan)[0])

    def _differences(self, model: ir.Model) -> dict[str, Difference]:
        engine, total = Engine(lower(model, self._calibrated.profile)), dict[str, Difference]()
        for sample, expected in self._samples:
            got = engine.run(sample, list(expected))
            for name, f in expected.items():
                total[name] = total.get(name, Difference()) + Difference.between(f, got[name])
        return total
