"""In the gate nothing may skip: HALFEVEN_NO_SKIP turns a skipped test into a failed one, but for what needs a GPU."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator

import pytest

with contextlib.suppress(ImportError):
    import setuptools  # noqa: F401  before anything imports distutils: torch's code generator needs this order


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, object, None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if not report.skipped or hasattr(report, "wasxfail") or not os.environ.get("HALFEVEN_NO_SKIP"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if "CUDA" not in reason:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where nothing may skip: {reason}"
