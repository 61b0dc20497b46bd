"""Fetches a server's files from a Maven repository, verifies them against the lock, and caches them."""

import fcntl
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.local.lockfile import LockedFile, is_locked

LOCK_NAME = "fetch.lock"


def cache_dir() -> Path:
    """Returns the folder of fetched files: ``stitchline`` in the user's cache folder (``XDG_CACHE_HOME``)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stitchline"


def repository(cache: Path) -> Path:
    """Returns the folder of a cache that is laid out as a Maven repository."""
    return cache / "maven"


def fetch(title: str, files: tuple[LockedFile, ...], cache: Path | None = None) -> list[Path]:
    """Returns the paths of the files, in the lock's order, each verified by its sha256. Downloads missing files.

    A lock keeps two processes from fetching at the same time. A cached file that does not match is fetched again, for
    example after an interrupted download.

    Raises:
        LockMismatchError: A downloaded file is not the locked one.
    """
    root = cache or cache_dir()
    with one_at_a_time(root / LOCK_NAME):
        missing = [file for file in files if not is_locked(file, repository(root) / file.place)]
        if missing:
            from pipeline.local.download import download  # noqa: PLC0415 - its docstring says why

            download(title, missing, repository(root))
        return [repository(root) / file.place for file in files]


def unpack(file: LockedFile, archive: Path, cache: Path | None = None) -> Path:
    """Returns the folder with the contents of a fetched ``tar.gz``. Unpacks it once, atomically."""
    root = cache or cache_dir()
    folder = root / "unpacked" / f"{archive.name.removesuffix('.tar.gz')}-{file.sha256[:12]}"
    with one_at_a_time(root / LOCK_NAME):
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as started, tarfile.open(archive) as content:
                if hasattr(tarfile, "data_filter"):  # since Python 3.11.4; the archive is verified anyway
                    content.extraction_filter = tarfile.data_filter
                content.extractall(Path(started) / "content")  # noqa: S202
                (Path(started) / "content").rename(folder)
    return folder


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Holds an exclusive lock between processes. The kernel releases it when the holder dies in any way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
