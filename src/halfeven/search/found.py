"""What a search found, and how far it got."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halfeven.ptq.difference import Measure
from halfeven.report.sensitivity.found import Sensitivity, value
from halfeven.search.knobs import Knob

NAMED = 12  # knobs that the summary lists


@dataclass(frozen=True)
class Judged:
    """One model, run in integers.

    Attributes
    ----------
    wide : what has more bits in it. error : at the output that suffers most, by the search's measure.
    wide_share : of the operations. size_bytes : of the file.
    """

    wide: frozenset[Knob]
    error: float
    wide_share: float
    size_bytes: int


@dataclass(frozen=True, eq=False)
class MixedPrecisionResult:
    """The model that was taken, and the others that were judged.

    Attributes
    ----------
    config : the quant_config.json that gives the same model, byte for byte, with the same model, data and range method.
    best : the model taken, with its accuracy algorithms. candidate : the same without them, as the others are judged.
    narrowest : the one with the fewest bits. widest : with most, where it was judged.
    judged : all, in the order in which they were tried. knobs : how many there are.
    reached : whether the floor is reached and the limits hold. ended : why the search ended, in words.
    sensitivity : what each knob was ranked by.
    """

    config: Mapping[str, Any]
    best: Judged
    candidate: Judged
    narrowest: Judged
    widest: Judged | None
    judged: tuple[Judged, ...]
    knobs: int
    measure: Measure
    reached: bool
    ended: str
    interrupted: bool
    sensitivity: Sensitivity | None

    def save_config(self, path: str | os.PathLike[str]) -> None:
        """Write :attr:`config` as JSON, whole or not at all."""
        import json  # noqa: PLC0415

        from halfeven.report.whole_file import write_text  # noqa: PLC0415

        write_text(path, json.dumps(self.config, indent=2, ensure_ascii=False) + "\n")

    def __str__(self) -> str:
        lines = [
            f"mixed precision: {len(self.best.wide)} of {self.knobs} tensors and weights have more bits",
            f"  taken:                {self._line(self.best)}",
        ]
        others = [("the fewest bits", self.narrowest), ("most bits", self.widest)]
        if self.best == self.candidate:
            lines += [f"  with {what + ':':<17}{self._line(one)}" for what, one in others if one is not None]
        else:
            lines.append("  before accuracy algorithms:")
            shown = [("the same model", self.candidate), *others]
            lines += [f"    {what + ':':<20}{self._line(one)}" for what, one in shown if one is not None]
        lines.append(f"  models judged: {len(self.judged)}; {self.ended}")
        if not self.reached:
            lines.append("  what was asked for was not reached: this model is the nearest to it")
        taken = sorted(self.best.wide, key=lambda k: (k.is_weight, k.label))
        names = [f"{'weights of ' if k.is_weight else ''}{k.label} ({k.wide})" for k in taken]
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            lines.append(f"  {', '.join(names[:NAMED])}{more}")
        return "\n".join(lines)

    def _line(self, judged: Judged) -> str:
        level = value(judged.error, self.measure)
        shown = f"SQNR {level:.1f} dB" if self.measure is Measure.SQNR else f"cosine {level:.6f}"
        return f"{shown}, int16 {judged.wide_share:.1%} of operations, {judged.size_bytes:,} bytes"
