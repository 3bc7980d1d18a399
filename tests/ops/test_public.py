"""What ``import halfeven`` offers, and what it does not load."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import halfeven as he

HEAVY = ("torch", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "typer", "rich", "PIL", "importlib.metadata")


def test_import_loads_numpy_and_the_extension_alone() -> None:
    program = f"""
import json, sys
import numpy
before = set(sys.modules)
import halfeven
import halfeven.errors
after = set(sys.modules)
ours = sorted(m for m in after - before if not m.startswith("halfeven"))
heavy = [m for m in {HEAVY!r} if m in after]
print(json.dumps({{"heavy": heavy, "outside": ours, "native": "halfeven._native" in after}}))
"""
    loaded = json.loads(
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    )
    assert loaded["native"]
    assert loaded["heavy"] == []
    foreign = {m.split(".")[0] for m in loaded["outside"]} - set(sys.stdlib_module_names) - {"numpy"}
    assert foreign == set()


def test_arithmetic_on_arrays_does_not_load_torch() -> None:
    program = """
import sys, numpy, halfeven as he
p = he.AffineParams(0.1)
he.fake_quantize(numpy.ones(3), p)
he.requantize(numpy.arange(3), he.Multiplier.from_real(0.5), p)
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_public_name_exists_and_is_listed() -> None:
    names = dir(he)
    for name in he.__all__:
        assert name in names
        assert getattr(he, name) is not None
    assert isinstance(he.__version__, str)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        he.quantise  # noqa: B018


def test_a_multiplier_shows_its_parts() -> None:
    m = he.Multiplier.from_real(0.0123, bits=31)
    assert (int(m.m0), int(m.shift), m.bits) == (1690499128, 37, 31)
    assert float(m.value) == pytest.approx(0.0123, rel=2**-31)


def test_profiles_print_as_a_table() -> None:
    lines = str(he.profiles).splitlines()
    assert lines[0].split() == ["profile", "r", "/", "S", "Z", "ties", "requantize"]
    assert len(lines) == 1 + len(he.profiles)
    assert str(he.profiles["journey6"]).startswith("journey6 | f32 divide | inside | half to even")
