"""What can be asked of a quantization: named here once, for everything that hands it on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from halfeven.numerics.qtype import QType
    from halfeven.ptq.algorithms.stages import Algorithm
    from halfeven.ptq.boundary import Boundary
    from halfeven.ptq.choice import RangeChoice

Config = str | os.PathLike[str] | Mapping[str, Any]


class Options(TypedDict, total=False):
    """Keyword arguments; one that is left out has the default of :func:`halfeven.ptq.plan.make_plan`.

    Attributes
    ----------
    activations : codes of activations: signed ones symmetric (int8, int16), unsigned ones asymmetric.
    weights : codes of weights, symmetric, one scale for each output channel: int4, int8, int16.
    weight_group : int4 weights have one scale for each so many inputs of a channel instead.
    method : how ranges are chosen: "default" (for each scale the best of the others, by the error at its readers),
        "symmetric" (the same with symmetric codes alone), "max", "percentile", "kl", "mse", or a
        :class:`~halfeven.ranges.Method`, :class:`~halfeven.ptq.choice.BestOf` or
        :class:`~halfeven.ptq.choice.BestModel`.
    config : a quant_config.json, or its contents. Where it speaks, ``activations`` and ``weights`` do not count.
    algorithms : accuracy algorithms or their names, see :mod:`halfeven.ptq.algorithms`; they act in the order of their
        stages. None for second-order rounding and bias correction; "none" or () for none. What an algorithm did is kept
        where it brings samples that it has not seen nearer to float.
    boundary : what inputs and outputs are: "float", "codes" or "unquantized", see :class:`~halfeven.ptq.boundary.Edge`;
        one for all, or some by name.
    """

    activations: QType | str
    weights: QType | str
    weight_group: int | None
    method: RangeChoice | str | None
    config: Config | None
    algorithms: Iterable[Algorithm | str] | str | None
    boundary: Boundary


def again(options: Options) -> Options:
    """The same options, to be read as often as is needed: algorithms may come from a generator."""
    algorithms = options.get("algorithms")
    if algorithms is None or isinstance(algorithms, str):
        return options
    return {**options, "algorithms": tuple(algorithms)}
