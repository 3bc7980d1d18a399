"""How a configuration has ranges chosen."""

from __future__ import annotations

from halfeven.ptq.choice import PRESET, BestModel, BestOf, Candidate
from halfeven.ptq.config.settings import Activation, QuantConfig
from halfeven.ptq.difference import Measure
from halfeven.ranges import MAX, Kl, Method, Percentile


def range_choice(config: QuantConfig) -> BestOf | BestModel | None:
    """What ``activation`` and the searches ask for; None where they say nothing.

    Where they say something, but nothing of ``asymmetric``, codes are symmetric.

    - One calibration_type with single values: that method, for every scale.
    - Several values, or modelwise_search: each combination for the whole model, the best of the models.
    - layerwise_search: the best of the combinations for each scale.
    - No calibration_type: the preset methods; for each scale the best, unless modelwise_search asks for one for all.
    """
    activation = config.activation
    if activation == Activation() and config.modelwise is None and config.layerwise is None:
        return None
    methods = _methods(activation)
    candidates = tuple(Candidate(m, symmetric=not a) for a in activation.asymmetric or (False,) for m in methods)
    if config.layerwise is not None:
        return BestOf(candidates, config.layerwise)
    if config.modelwise is not None or (activation.calibration_type and len(candidates) > 1):
        return BestModel(candidates, config.modelwise or Measure.COSINE)
    return BestOf(candidates)


def _methods(activation: Activation) -> tuple[Method, ...]:
    if not activation.calibration_type:
        return PRESET
    methods: list[Method] = []
    for name in activation.calibration_type:
        if name == "kl":
            methods += [Kl(bins) for bins in activation.num_bin]
        else:
            methods += [MAX if share == 1 else Percentile(100 * share) for share in activation.max_percentile]
    return tuple(methods)
