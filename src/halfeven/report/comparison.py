"""What a comparison found: a table a person reads, a file a script reads, a page to look at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from halfeven.report.agreement import OutputAgreement, WorstSample
from halfeven.report.facts import Facts
from halfeven.report.finding import Finding
from halfeven.report.layers import Unpaired
from halfeven.report.row import LayerRow
from halfeven.report.sensitivity.found import Sensitivity
from halfeven.report.speed import Speed

if TYPE_CHECKING:
    from halfeven.report.summary import Statement


@dataclass(frozen=True, eq=False)
class Comparison:
    """A quantized model held against its float model. Print it; or :meth:`to_csv`, :meth:`to_html`.

    Attributes
    ----------
    float_source, quantized_source, profile : what was compared. samples : over how many samples.
    rows : one a layer, in the order of the program.
    findings : by a row's index, worst first; empty for a layer that is fine.
    outputs : how far the model's outputs agree. worst_samples : on which samples least.
    unpaired : tensors of the quantized model without a counterpart, and why.
    facts : size, multiply-accumulates, traffic, energy. speed : measured, or None.
    sensitivity : what each layer does to the outputs, where that was measured: :meth:`with_sensitivity`.
    """

    float_source: str
    quantized_source: str
    profile: str
    samples: int
    rows: tuple[LayerRow, ...]
    findings: Mapping[int, tuple[Finding, ...]]
    outputs: tuple[OutputAgreement, ...]
    worst_samples: tuple[WorstSample, ...]
    unpaired: tuple[Unpaired, ...]
    facts: Facts
    speed: Speed | None
    sensitivity: Sensitivity | None = None

    def with_sensitivity(self, found: Sensitivity) -> Comparison:
        """The same, with what each layer does to the model's outputs."""
        return replace(self, sensitivity=found)

    @property
    def summary(self) -> tuple[Statement, ...]:
        """What a reader should know first, a sentence each."""
        from halfeven.report.summary import summary  # noqa: PLC0415  it reads this type

        return summary(self)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one row a layer, whole or not at all. Equal models and data give equal bytes."""
        from halfeven.report.csv_file import csv_text  # noqa: PLC0415
        from halfeven.report.whole_file import write_text  # noqa: PLC0415

        write_text(path, csv_text(self))

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained page, whole or not at all; it opens without a network."""
        from halfeven.report.page import page  # noqa: PLC0415
        from halfeven.report.whole_file import write_text  # noqa: PLC0415

        write_text(path, page(self))

    def __str__(self) -> str:
        from halfeven.report.sensitivity.text import sensitivity_text  # noqa: PLC0415
        from halfeven.report.text import text  # noqa: PLC0415

        return text(self) if self.sensitivity is None else f"{text(self)}\n\n{sensitivity_text(self.sensitivity)}"
