"""Bring a server's files here: through jgo from a Maven repository, once, checked against the lock, then cached."""

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Artifact, MavenContext, PythonResolver

from pipeline.local.lockfile import LockedFile, is_locked, require_locked
from pipeline.local.progress import Advance, download_progress

PARALLEL_DOWNLOADS = 4
TIMEOUT_S = 60


def cache_dir() -> Path:
    """Where fetched files are kept between runs: ``stitchline`` in the user's cache folder (``XDG_CACHE_HOME``)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stitchline"


def fetch(title: str, files: tuple[LockedFile, ...], cache: Path | None = None) -> list[Path]:
    """Paths of the files, in the lock's order, each verified against its sha256; missing ones are downloaded.

    Two processes never fetch at the same time: the second waits, then finds everything in the cache.
    A cached file that does not match (a download that was cut off) is fetched again.

    Raises:
        LockMismatchError: what the repository served is not what the lock names.
    """
    root = cache or cache_dir()
    with one_at_a_time(root / "fetch.lock"):
        context = maven_context(root / "maven")
        wanted = [(file, _artifact(context, file)) for file in files]
        missing = [(file, artifact) for file, artifact in wanted if not is_locked(file, _cached(artifact))]
        if missing:
            _download(title, context, missing)
        return [_cached(artifact) for _, artifact in wanted]


def maven_context(repository: Path) -> MavenContext:
    """Maven Central, or whatever mirror the user's jgo settings name, cached in a folder of ours."""
    remotes = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    return MavenContext(repo_cache=repository, remote_repos=remotes, timeout=TIMEOUT_S)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the kernel lets go of it when the holder dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _download(title: str, context: MavenContext, missing: list[tuple[LockedFile, Artifact]]) -> None:
    total_bytes = sum(file.size_bytes for file, _ in missing)
    with download_progress(title, total_bytes) as advance, ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        context.resolver = PythonResolver(progress_callback=_callback(advance))
        for file, path in zip(missing, pool.map(_download_one, missing), strict=True):
            require_locked(file[0], path)


def _download_one(wanted: tuple[LockedFile, Artifact]) -> Path:
    _, artifact = wanted
    _cached(artifact).unlink(missing_ok=True)
    return artifact.resolve()


def _callback(advance: Advance):  # type: ignore[no-untyped-def]
    @contextmanager
    def per_file(_name: str, _size_bytes: int) -> Iterator[Advance]:
        yield advance

    return per_file


def _artifact(context: MavenContext, file: LockedFile) -> Artifact:
    group, artifact, packaging, classifier, version = file.parts
    return context.project(group, artifact).at_version(version).artifact(classifier, packaging)


def _cached(artifact: Artifact) -> Path:
    path = artifact.cached_path
    if path is None:
        message = f"{artifact} has no place in the cache"
        raise RuntimeError(message)
    return path
