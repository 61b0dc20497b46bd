"""Download locked files through jgo; a module of its own, since jgo takes 0.3 s to import and is rarely needed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from pipeline.local.lockfile import LockedFile, require_locked
from pipeline.local.progress import Advance, download_progress

PARALLEL = 4
TIMEOUT_SECONDS = 60


def maven_context(repository: Path) -> MavenContext:
    """Maven Central, or whatever mirror the user's jgo settings name, cached in a folder of ours."""
    remotes = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    return MavenContext(repo_cache=repository, remote_repos=remotes, timeout=TIMEOUT_SECONDS)


def download(title: str, files: list[LockedFile], repository: Path) -> None:
    """Put the files into the repository folder, replacing what is there, and show how far it is.

    Raises:
        LockMismatchError: what was served is not what the lock names.
    """
    context = maven_context(repository)

    def one(file: LockedFile) -> None:
        group, artifact, packaging, classifier, version = file.parts
        path = repository / file.place
        path.unlink(missing_ok=True)
        context.project(group, artifact).at_version(version).artifact(classifier, packaging).resolve()
        require_locked(file, path)

    total_bytes = sum(file.size_bytes for file in files)
    with download_progress(title, total_bytes) as advance, ThreadPoolExecutor(PARALLEL) as pool:
        context.resolver = PythonResolver(progress_callback=_per_file(advance))
        list(pool.map(one, files))


def _per_file(advance: Advance) -> Callable[[str, int], AbstractContextManager[Advance]]:
    """What jgo asks for: a context for each file, that yields a function told of each chunk's bytes."""

    @contextmanager
    def opened(_name: str, _size_bytes: int) -> Iterator[Advance]:
        yield advance

    return opened
