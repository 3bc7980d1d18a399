"""The files a comparison writes: whole, escaped, self-contained."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import small_models
from defects import build, changed, times

import halfeven as he
from halfeven.errors import ParameterError
from halfeven.report import page as page_module
from halfeven.report import whole_file
from halfeven.report.comparison import Comparison
from halfeven.report.csv_file import COLUMNS
from halfeven.report.histogram import LEVELS, MOST_BARS
from halfeven.report.page import page

EVIL = "</script><b onmouseover='x'>&"
VOID = {"meta", "input", "br", "wbr", "link", "img"}


class Reader(HTMLParser):
    """Checks that every element is closed, and gathers what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open one."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open and close one (SVG)."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text of the innermost one."""
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    model, data = small_models.cnn(), small_models.images(3)
    quantized = changed(he.quantize_model(model, data), {"s_scale": times(1 / 8)})
    return quantized.compare(model, data)


@pytest.fixture(scope="module")
def evil() -> Comparison:
    model = build("g (float[N,4] x) => (float[N,4] y) { a = Abs (x) y = Neg (a) }")
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = EVIL
    model.graph.node[0].name = EVIL
    data = np.random.default_rng(0).normal(0, 1, (4, 4)).astype(np.float32)
    return he.quantize_model(model, data).compare(model, data, speed=False)


def test_the_page_is_well_formed_and_complete(comparison: Comparison) -> None:
    read = Reader(page(comparison))
    assert read.open == []
    rows = [attributes for tag, attributes in read.elements if tag == "tr" and "data-k" in attributes]
    assert [int(r["data-k"] or -1) for r in rows] == [row.index for row in comparison.rows]
    assert {"svg", "table", "button", "input", "polyline", "noscript"} <= {tag for tag, _ in read.elements}
    sortable = [attributes for tag, attributes in read.elements if tag == "button" and "data-kind" in attributes]
    assert len(sortable) == len(page_module.COLUMNS)
    shown = " ".join(read.text["span"])
    assert "truncation" in shown


def test_the_page_needs_nothing_else(comparison: Comparison) -> None:
    text = page(comparison)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|\bsrc\s*=|<link|fetch\(|XMLHttp|import\(", text)
    policy = next(a["content"] for tag, a in Reader(text).elements if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert len(text.encode()) < 2_000_000


def test_each_layer_costs_little(comparison: Comparison) -> None:
    """A thousand layers stay below 2 MB."""
    for row in comparison.rows:
        text = page_module._row(comparison, row) + page_module._json(page_module._layer(comparison, row))
        assert len(text.encode()) < 1_950


def test_the_data_of_the_page(comparison: Comparison) -> None:
    text = page(comparison)
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[0])
    assert data["levels"] == LEVELS
    assert sorted(map(int, data["layers"])) == [row.index for row in comparison.rows]
    row = next(row for row in comparison.rows if row.name == "s")
    layer = data["layers"][str(row.index)]
    assert [finding[1] for finding in layer["findings"]] == [f.kind.value for f in comparison.findings[row.index]]
    real, run, lo, hi, clip_lo, clip_hi, in_codes = layer["histogram"]
    assert len(real) == len(run) <= MOST_BARS + 1
    assert set(real + run) <= set(LEVELS)
    assert not in_codes
    step = (hi - lo) / len(real)
    assert lo + clip_lo * step == pytest.approx(row.representable_lo, abs=step)
    assert lo + clip_hi * step == pytest.approx(row.representable_hi, abs=step)
    assert lo <= row.lo + step
    # beyond the last code there are float values and no codes
    assert set(real[clip_hi:]) != {"A"}
    assert set(run[clip_hi:]) == {"A"}


def test_names_are_escaped(evil: Comparison) -> None:
    text = page(evil)
    read = Reader(text)
    assert read.open == []
    assert text.count("<script") == 2
    assert not any(tag == "b" and attributes for tag, attributes in read.elements)
    assert "onmouseover" not in {name for _, attributes in read.elements for name in attributes}
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[0])
    assert EVIL in {layer["name"] for layer in data["layers"].values()}


def test_csv_has_a_row_a_layer(comparison: Comparison, evil: Comparison, tmp_path: Path) -> None:
    for found in (comparison, evil):
        found.to_csv(tmp_path / "layers.csv")
        with (tmp_path / "layers.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert tuple(rows[0]) == COLUMNS
        assert [r["name"] for r in rows] == [row.name for row in found.rows]
        assert [float(r["sqnr_db"]) for r in rows] == [row.sqnr_db for row in found.rows]
        assert [r["diagnosis"] != "" for r in rows] == [bool(found.findings[row.index]) for row in found.rows]


def test_numbers_without_meaning_are_empty(tmp_path: Path) -> None:
    model = small_models.not_integer()
    data = np.random.default_rng(0).normal(0, 1, (5, 4)).astype(np.float32)
    found = he.quantize_model(model, data).compare(model, data, speed=False)
    found.to_csv(tmp_path / "layers.csv")
    row = next(r for r in csv.DictReader(io.StringIO((tmp_path / "layers.csv").read_text())) if r["qtype"] == "float32")
    assert row["max_error_steps"] == row["scale"] == row["clipped"] == ""
    found.to_html(tmp_path / "layers.html")
    assert Reader((tmp_path / "layers.html").read_text(encoding="utf-8")).open == []


def test_text(comparison: Comparison) -> None:
    text = str(comparison)
    assert "3 samples" in text.splitlines()[0]
    assert all(row.name in text for row in comparison.rows)
    assert "Truncation, 1 layer: 's'" in text


# --- files ---


def test_a_failed_write_leaves_the_old_file(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(whole_file.Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        comparison.to_html(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_of_an_ordinary_file(comparison: Comparison, tmp_path: Path) -> None:
    comparison.to_csv(tmp_path / "a.csv")
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a.csv").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("place", ["missing/page.html", "."])
def test_places_that_cannot_be_written(comparison: Comparison, tmp_path: Path, place: str) -> None:
    with pytest.raises(ParameterError, match=r"create it first|is a folder"):
        comparison.to_html(tmp_path / place)
