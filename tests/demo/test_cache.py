"""Files enter the cache whole or not at all, in the folder the user chose."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfeven.demo.cache import cache_folder, publish_folder, writable_folder, write_file
from halfeven.demo.errors import DataUnavailableError


def test_the_variable_chooses_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HALFEVEN_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [("linux", "XDG_CACHE_HOME", "chosen/halfeven"), ("win32", "LOCALAPPDATA", "chosen/halfeven")],
)
def test_the_platform_variable_comes_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, variable: str, expected: str
) -> None:
    monkeypatch.delenv("HALFEVEN_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / expected


@pytest.mark.parametrize(("platform", "expected"), [("linux", ".cache"), ("darwin", "Library/Caches")])
def test_else_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, expected: str) -> None:
    monkeypatch.setenv("HALFEVEN_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / expected / "halfeven"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataUnavailableError, match="set HALFEVEN_CACHE") as caught:
        writable_folder(tmp_path / "file" / "cache")
    assert str(tmp_path / "file" / "cache") in str(caught.value)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = write_file(tmp_path / "models" / "m.onnx", lambda path: path.write_bytes(b"old"))

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(target, fail)
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_the_first_of_two_folders_stays(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
        publish_folder(tmp_path / name, tmp_path / "target")
    assert (tmp_path / "target" / "content").read_text() == "first"


def test_a_rename_that_fails_for_another_reason_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        publish_folder(tmp_path / "missing", tmp_path / "target")
