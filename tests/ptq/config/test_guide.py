"""The guide's example says what the guide says of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import onnx_ir as ir

from halfeven.ptq.config import read_config
from halfeven.ptq.plan import make_plan

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "quant-config.md"


def test_the_copy_to_start_from_is_read() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert read_config(json.loads(block)).warnings == ()


def test_the_table_is_what_is_printed(model: ir.Model) -> None:
    shown = re.search(r"```\n(ranges: .*?)\n```", GUIDE.read_text(), re.DOTALL)
    config = {
        "model_config": {"activation": {"calibration_type": "kl"}},
        "op_config": {"Mul": {"qtype": "int16"}},
        "node_config": {"Gemm_7": {"input1": "int4"}},
    }
    printed = str(make_plan(model, (), config=config)).splitlines()
    assert shown is not None
    assert [line for line in printed if not line.startswith(("MaxPool", "Flatten"))] == shown[1].splitlines()
