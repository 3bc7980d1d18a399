"""The pages in docs/math run as written: every number that they show as code is the one the package gives."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "math").glob("*.md"))
WITH_CODE = {"affine.md", "rounding.md", "requantize.md", "conv.md", "nonlinear.md", "profiles.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_page_runs(page: Path) -> None:
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 0 or page.name not in WITH_CODE


def test_all_pages_are_there() -> None:
    assert {page.name for page in PAGES} >= WITH_CODE
