"""quant_config.json, or the same as a dict -> QuantConfig.

Source: the Journey 6 toolchain's public manual, "quant_config" (OE 3.0.22 and the keys that later pages add).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from halfeven.errors import ParameterError
from halfeven.numerics.qtype import QType
from halfeven.ptq.config.entry import Entry
from halfeven.ptq.config.settings import Activation, QuantConfig, Subgraph, TypeSetting, WeightCorrection
from halfeven.ptq.config.words import (
    ACTIVATION_TYPES,
    CALIBRATION_TYPES,
    NODE_TYPES,
    OTHER_CALIBRATION_TYPES,
    OTHER_TYPES,
    QTYPE_ALIASES,
    WEIGHT_TYPES,
    NumberType,
)
from halfeven.ptq.difference import Measure
from halfeven.ranges.kl import FEWEST, MOST

SECTIONS = ("model_config", "op_config", "subgraph_config", "node_config")
MODEL = ("all_node_type", "model_output_type", "activation", "weight", "modelwise_search", "layerwise_search")
ACTIVATION = ("calibration_type", "num_bin", "max_num_bin", "max_percentile", "per_channel", "asymmetric")
DEFAULT_NUM_BIN = 1024
LEAST_MAX_NUM_BIN = 2 * FEWEST
LOWEST_PERCENTILE = 0.5
T = TypeVar("T")
MEASURES = {m.value: m for m in Measure}
INPUT = re.compile(r"input(0|[1-9][0-9]?)")


def read_config(config: str | os.PathLike[str] | Mapping[str, Any]) -> QuantConfig:
    """Read and check a configuration, as far as that goes without the model.

    Raises
    ------
    ParameterError
        At the first thing wrong: the file, the path inside it, what was expected, what came.
    UnsupportedError
        If it asks for something that the format knows and this package does not do.
    OSError
        If the file cannot be read.
    """
    if isinstance(config, Mapping):
        return _Reader("the configuration").config(config)
    source = os.fspath(config)
    return _Reader(source).config(_load(Path(source)))


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_constant)
    except FileNotFoundError:
        raise ParameterError(f"{path}: no such file: a quant_config.json was expected, check the path") from None
    except IsADirectoryError:
        raise ParameterError(f"{path}: is a folder: a quant_config.json was expected, name the file") from None
    except _Twice as key:
        raise ParameterError(f"{path}: the key '{key}' stands twice in one object: keep one of them") from None
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except RecursionError:
        raise ParameterError(f"{path}: its objects are nested too deeply") from None
    except ValueError as error:
        raise ParameterError(f"{path}: is not JSON ({error}): mend it there") from None


class _Twice(Exception):  # noqa: N818
    """A key that stands twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise _Twice(key)
        made[key] = value
    return made


def _constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


class _Reader:
    """One reading; ``warnings`` grow as it goes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._warnings: list[str] = []

    def config(self, value: Any) -> QuantConfig:
        sections = Entry(value, "", self._source).fields(SECTIONS, dict.fromkeys(MODEL, "model_config"))
        model = sections["model_config"].fields(MODEL) if "model_config" in sections else {}
        nodes = self._types(sections.get("node_config"), with_inputs=True)
        ops = self._types(sections.get("op_config"), with_inputs=False)
        subgraphs = tuple(self._subgraph(k, e) for k, e in _members(sections.get("subgraph_config")))
        modelwise, layerwise = (_search(model.get(f"{kind}_search")) for kind in ("modelwise", "layerwise"))
        if modelwise is not None and layerwise is not None:
            raise model["layerwise_search"].error("stands beside modelwise_search: keep one of them")
        return QuantConfig(
            self._source,
            _activation_type(model.get("all_node_type")),
            _activation_type(model.get("model_output_type")),
            self._activation(model["activation"]) if "activation" in model else Activation(),
            modelwise,
            layerwise,
            ops,
            subgraphs,
            nodes,
            tuple(self._warnings),
            _bias_correction(model["weight"]) if "weight" in model else None,
        )

    # --- types ---

    def _types(self, section: Entry | None, *, with_inputs: bool) -> dict[str, TypeSetting]:
        return {name: self._type_setting(entry, with_inputs=with_inputs) for name, entry in _members(section)}

    def _type_setting(self, entry: Entry, *, with_inputs: bool, others: tuple[str, ...] = ()) -> TypeSetting:
        inputs = [key for key, _ in entry.members() if with_inputs and INPUT.fullmatch(key)]
        known = ["qtype", *QTYPE_ALIASES, *others, *inputs]
        elsewhere = {} if with_inputs else {f"input{k}": "node_config" for k in range(100)}
        fields = entry.fields([*known, "input0"] if with_inputs else known, elsewhere)
        types = {int(key.removeprefix("input")): _input_type(fields[key]) for key in inputs}
        return TypeSetting(self._qtype(entry, fields), types)

    def _qtype(self, entry: Entry, fields: Mapping[str, Entry]) -> NumberType | None:
        given = [key for key in ("qtype", *QTYPE_ALIASES) if key in fields]
        if len(given) > 1:
            raise entry.error(f"'{given[0]}' and '{given[1]}' both name the type: keep 'qtype'")
        if not given:
            return None
        field = fields[given[0]]
        if given[0] != "qtype":
            if field.value in ("BPU", "CPU", "JIT"):
                raise field.unsupported("a choice of processor", "leave it out")
            self._warnings.append(f"{field.source}: {field.path}: read as 'qtype', which is the documented key")
        return _node_type(field)

    def _subgraph(self, name: str, entry: Entry) -> Subgraph:
        types = self._type_setting(entry, with_inputs=False, others=("inputs", "outputs"))
        fields = dict(entry.members())
        for key in ("inputs", "outputs"):
            if key not in fields:
                raise entry.error(f"'{key}' is missing: name the {'first' if key == 'inputs' else 'last'} nodes")
        if types.qtype is None:
            raise entry.error("'qtype' is missing")
        return Subgraph(name, fields["inputs"].texts(), fields["outputs"].texts(), types)

    # --- calibration ---

    def _activation(self, entry: Entry) -> Activation:
        fields = entry.fields(ACTIVATION)
        made = Activation(
            _several(fields, "calibration_type", _calibration_type) or (),
            _several(fields, "num_bin", lambda e: e.whole(FEWEST, MOST)) or (DEFAULT_NUM_BIN,),
            _several(fields, "max_percentile", lambda e: e.share(LOWEST_PERCENTILE, 1.0)) or (1.0,),
            _several(fields, "asymmetric", Entry.flag) or (),
        )
        if "per_channel" in fields and any(fields["per_channel"].several(Entry.flag)):
            raise fields["per_channel"].unsupported("one scale a channel of an activation", "leave it out, or false")
        self._max_num_bin(fields, made)
        self._without_effect(fields, made)
        return made

    def _max_num_bin(self, fields: Mapping[str, Entry], made: Activation) -> None:
        entry = fields.get("max_num_bin")
        if entry is None:
            return
        most = entry.whole(LEAST_MAX_NUM_BIN)
        if most < max(made.num_bin):
            raise entry.expected(f"at least num_bin, {max(made.num_bin)}")
        self._remark(entry, "has no effect: the histogram here makes its bins wider, not more")

    def _without_effect(self, fields: Mapping[str, Entry], made: Activation) -> None:
        for key, method in (("num_bin", "kl"), ("max_percentile", "max")):
            if key in fields and method not in made.calibration_type:
                self._remark(fields[key], f"has no effect without calibration_type '{method}'")

    def _remark(self, entry: Entry, text: str) -> None:
        self._warnings.append(f"{entry.source}: {entry.path}: {text}")


def _bias_correction(weight: Entry) -> WeightCorrection | None:
    fields = weight.fields(("bias_correction",))
    if "bias_correction" not in fields:
        return None
    inner = fields["bias_correction"].fields(("num_sample", "metric"))
    default = WeightCorrection()
    return WeightCorrection(
        inner["num_sample"].whole(1) if "num_sample" in inner else default.num_sample,
        inner["metric"].one_of(MEASURES) if "metric" in inner else default.metric,
    )


def _search(entry: Entry | None) -> Measure | None:
    if entry is None:
        return None
    fields = entry.fields(("metric",))
    return fields["metric"].one_of(MEASURES) if "metric" in fields else Measure.COSINE


def _several(fields: Mapping[str, Entry], key: str, read: Callable[[Entry], T]) -> tuple[T, ...] | None:
    return fields[key].several(read) if key in fields else None


def _members(section: Entry | None) -> list[tuple[str, Entry]]:
    return [] if section is None else list(section.members())


def _node_type(entry: Entry) -> NumberType:
    if entry.value == "int4":
        raise entry.unsupported("'int4' for activations", "for 4-bit weights write 'input1': 'int4' in node_config")
    return _number_type(entry, NODE_TYPES)


def _activation_type(entry: Entry | None) -> QType | None:
    return None if entry is None else _integer(entry, ACTIVATION_TYPES)


def _input_type(entry: Entry) -> QType:
    if entry.value == "float32":
        raise entry.unsupported("'float32' for one input", "write 'qtype': 'float32' to keep the node in float32")
    return _integer(entry, WEIGHT_TYPES)


def _integer(entry: Entry, known: Mapping[str, NumberType]) -> QType:
    found = _number_type(entry, known)
    if not isinstance(found, QType):
        raise entry.expected("an integer type")
    return found


def _number_type(entry: Entry, known: Mapping[str, NumberType]) -> NumberType:
    if entry.value in OTHER_TYPES:
        raise entry.unsupported(repr(entry.value), f"one of {', '.join(known)} is")
    return entry.one_of(known)


def _calibration_type(entry: Entry) -> str:
    if isinstance(entry.value, str) and entry.value in OTHER_CALIBRATION_TYPES:
        raise entry.unsupported(repr(entry.value), OTHER_CALIBRATION_TYPES[entry.value])
    return entry.one_of({name: name for name in CALIBRATION_TYPES})
