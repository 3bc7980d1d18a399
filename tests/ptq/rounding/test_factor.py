"""Products, the factor W and solutions with it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from halfeven.errors import ParameterError
from halfeven.ops.columns import Panels, product, solve
from halfeven.ptq.rounding.factor import factored

SIZES = [(1, 1, 1), (3, 5, 4), (2, 64, 7), (1, 65, 66), (1, 130, 200), (40, 9, 1)]


def matrices(groups: int, size: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(size)
    x = rng.normal(size=(groups, 2 * size + 1, size))
    return x.swapaxes(-1, -2) @ x + 0.1 * np.eye(size), rng.normal(size=(groups, rows, size))


@pytest.mark.parametrize(("groups", "size", "rows"), SIZES)
def test_a_product_is_the_product(groups: int, size: int, rows: int) -> None:
    h, a = matrices(groups, size, rows)
    np.testing.assert_allclose(product(a, h), a @ h, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(product(a, Panels.of(h)), product(a, h))
    integers = np.rint(a * 100)
    np.testing.assert_array_equal(product(integers, integers.swapaxes(-1, -2)), integers @ integers.swapaxes(-1, -2))


@pytest.mark.parametrize(("groups", "size", "rows"), SIZES)
def test_the_factor_is_lower_triangular_and_gives_the_matrix(groups: int, size: int, rows: int) -> None:
    h, a = matrices(groups, size, rows)
    np.testing.assert_array_equal(Panels.of(h).dense(), h)
    factor = factored(Panels.of(h))
    w = np.tril(factor.dense())
    assert (np.diagonal(w, axis1=-2, axis2=-1) > 0).all()
    np.testing.assert_allclose(w.swapaxes(-1, -2) @ w, h, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(solve(a, factor) @ h, a, rtol=1e-7, atol=1e-7)


def test_a_matrix_without_a_factor_is_refused() -> None:
    with pytest.raises(ParameterError, match="not positive definite"):
        factored(Panels.of(np.array([[[1.0, 2.0], [2.0, 1.0]]])))


SCRIPT = """
import hashlib, sys
import numpy as np
from halfeven.ptq.rounding.layer import LayerWeights, round_layer
from halfeven.ptq.rounding.statistics import Halves, Moments

rng = np.random.default_rng(5)
digest = hashlib.sha256()
for groups, rows, k in ((1, 70, 410), (6, 2, 25)):
    w = rng.normal(size=(groups, rows, k))
    def seen():
        f = np.maximum(rng.normal(size=(groups, 900, k)) @ rng.normal(size=(groups, k, k)), -20)
        return Moments.of(np.clip(np.rint(f + rng.normal(size=f.shape)), -128, 127), f, 8, w).problem()
    scale = np.abs(w).max(axis=-1, keepdims=True) / 7
    halves = Halves(seen(), seen())
    found = round_layer(halves, LayerWeights(w, (-8, 7), scale, np.zeros_like(scale)))
    digest.update(found.codes.tobytes() + found.scale.tobytes())
print(digest.hexdigest())
"""


def test_the_codes_do_not_depend_on_the_number_of_threads() -> None:
    found = set()
    for threads in ("1", "2", "5"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        made = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        found.add(made.stdout.strip())
    assert len(found) == 1
    assert len(found.pop()) == len(hashlib.sha256().hexdigest())
