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
NONE = "none"


def default_algorithms() -> tuple[Algorithm, ...]:
    """What acts where nothing is asked for: what brought most networks nearest to float, for seconds to a minute."""
    return SecondOrderRounding(), BiasCorrection()


def algorithms_of(asked: Iterable[Algorithm | str] | str | None) -> tuple[Algorithm, ...]:
    """The algorithms, in the order of their stages, inside a stage in the order given.

    Parameters
    ----------
    asked : algorithms or their names; a text is one name. None for :func:`default_algorithms`; "none" for none.

    Raises
    ------
    ParameterError
        If there is no such algorithm, or one is given twice.
    """
    if asked is None:
        return default_algorithms()
    given = [asked] if isinstance(asked, str) else list(asked)
    if NONE in given:
        if len(given) > 1:
            raise ParameterError("the algorithm 'none' stands alone: leave it out, or the others")
        return ()
    found = [_algorithm(one) for one in given]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"the algorithm '{name}' is given twice: leave one of them out")
    return tuple(sorted(found, key=_stage))


def _algorithm(asked: Algorithm | str) -> Algorithm:
    if isinstance(asked, str):
        if asked not in NAMED:
            raise ParameterError(f"no algorithm is named {asked!r}: {nearest(asked, [*NAMED, NONE])}")
        return NAMED[asked]()
    if isclass(asked) or not isinstance(asked, (FloatRewrite, WeightRounding, BiasCorrecting)):
        raise ParameterError(
            f"{asked!r} is no algorithm: a name or an instance, such as BiasCorrection(), was expected"
        )
    return asked


def _stage(algorithm: Algorithm) -> int:
    return next(k for k, stage in enumerate(STAGES) if isinstance(algorithm, stage))
