"""Downloads locked files through jgo. A separate module, because jgo takes 0.3 s to import and is rarely needed."""

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
    """Returns a context for Maven Central and the mirrors in the user's jgo settings, cached in ``repository``."""
    remotes = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    return MavenContext(repo_cache=repository, remote_repos=remotes, timeout=TIMEOUT_SECONDS)


def download(title: str, files: list[LockedFile], repository: Path) -> None:
    """Downloads the files into the repository folder, replacing existing ones, and shows the progress.

    Raises:
        LockMismatchError: A downloaded file is not the locked one.
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
    """Returns jgo's progress callback: a context for each file that yields a function for each chunk's bytes."""

    @contextmanager
    def opened(_name: str, _size_bytes: int) -> Iterator[Advance]:
        yield advance

    return opened
