"""quant_config.json of the Journey 6 toolchain: read strictly, and resolved to a setting for each node."""

from halfeven.ptq.config.read import read_config
from halfeven.ptq.config.resolve import InputSetting, NodeSetting, resolve
from halfeven.ptq.config.settings import Activation, QuantConfig, Subgraph, TypeSetting

__all__ = [
    "Activation",
    "InputSetting",
    "NodeSetting",
    "QuantConfig",
    "Subgraph",
    "TypeSetting",
    "read_config",
    "resolve",
]
