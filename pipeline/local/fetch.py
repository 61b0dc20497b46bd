"""Bring a server's files here: from a Maven repository, once, checked against the lock, then cached."""

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
    """Where fetched files are kept between runs: ``stitchline`` in the user's cache folder (``XDG_CACHE_HOME``)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stitchline"


def repository(cache: Path) -> Path:
    """The folder of a cache that is laid out as a Maven repository."""
    return cache / "maven"


def fetch(title: str, files: tuple[LockedFile, ...], cache: Path | None = None) -> list[Path]:
    """Paths of the files, in the lock's order, each verified against its sha256; missing ones are downloaded.

    Two processes never fetch at the same time: the second waits, then finds everything in the cache.
    A cached file that does not match (a download that was cut off) is fetched again.

    Raises:
        LockMismatchError: what the repository served is not what the lock names.
    """
    root = cache or cache_dir()
    with one_at_a_time(root / LOCK_NAME):
        missing = [file for file in files if not is_locked(file, repository(root) / file.place)]
        if missing:
            from pipeline.local.download import download  # noqa: PLC0415 - its docstring says why

            download(title, missing, repository(root))
        return [repository(root) / file.place for file in files]


def unpack(file: LockedFile, archive: Path, cache: Path | None = None) -> Path:
    """The folder with the contents of a fetched ``tar.gz``; unpacked once, whole or not at all."""
    root = cache or cache_dir()
    folder = root / "unpacked" / f"{archive.name.removesuffix('.tar.gz')}-{file.sha256[:12]}"
    with one_at_a_time(root / LOCK_NAME):
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as started, tarfile.open(archive) as content:
                if hasattr(tarfile, "data_filter"):  # not before 3.11.4; what is in the archive is locked anyway
                    content.extraction_filter = tarfile.data_filter
                content.extractall(Path(started) / "content")  # noqa: S202
                (Path(started) / "content").rename(folder)
    return folder


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the kernel lets go of it when the holder dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
