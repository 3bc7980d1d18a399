"""Algorithms by their names, with default options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import isclass
from types import MappingProxyType

from halfeven.errors import ParameterError
from halfeven.ptq.algorithms.bias_correction import BiasCorrection
from halfeven.ptq.algorithms.equalization import Equalization, SmoothQuant
from halfeven.ptq.algorithms.reconstruction import BlockReconstruction
from halfeven.ptq.algorithms.second_order import SecondOrderRounding
from halfeven.ptq.algorithms.stages import Algorithm, BiasCorrecting, FloatRewrite, WeightRounding
from halfeven.ptq.config.entry import nearest

STAGES: tuple[type, ...] = (FloatRewrite, WeightRounding, BiasCorrecting)
NAMED: Mapping[str, Callable[[], Algorithm]] = MappingProxyType(
    {
        Equalization.name: Equalization,
        SmoothQuant.name: SmoothQuant,
        SecondOrderRounding.name: SecondOrderRounding,
        BlockReconstruction.name: BlockReconstruction,
        BiasCorrection.name: BiasCorrection,
    }
)


def algorithms_of(asked: Iterable[Algorithm | str] | str) -> tuple[Algorithm, ...]:
    """The algorithms, in the order of their stages, inside a stage in the order given.

    Parameters
    ----------
    asked : algorithms or their names; a text is one name.

    Raises
    ------
    ParameterError
        If there is no such algorithm, or one is given twice.
    """
    found = [_algorithm(one) for one in ([asked] if isinstance(asked, str) else asked)]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"the algorithm '{name}' is given twice: leave one of them out")
    return tuple(sorted(found, key=_stage))


def _algorithm(asked: Algorithm | str) -> Algorithm:
    if isinstance(asked, str):
        if asked not in NAMED:
            raise ParameterError(f"no algorithm is named {asked!r}: {nearest(asked, NAMED)}")
        return NAMED[asked]()
    if isclass(asked) or not isinstance(asked, (FloatRewrite, WeightRounding, BiasCorrecting)):
        raise ParameterError(
            f"{asked!r} is no algorithm: a name or an instance, such as BiasCorrection(), was expected"
        )
    return asked


def _stage(algorithm: Algorithm) -> int:
    return next(k for k, stage in enumerate(STAGES) if isinstance(algorithm, stage))
