"""Lock files: coordinate, size and sha256 of each file of a server, committed beside the code.

A server's class path is exactly the lines of its lock, so a new release or a changed dependency range upstream cannot
alter it. ``python -m pipeline.local.relock`` writes the locks.
"""

import hashlib
from pathlib import Path

import msgspec

from pipeline.errors import OperatorError

HERE = Path(__file__).parent
COMMENT = "#"


class LockMismatchError(OperatorError):
    """A fetched file is not the locked one.

    Operator action: delete the named file and try again; if it happens twice, the repository or a proxy
    serves a file that was not reviewed. Find out why before you run it.
    """


class LockedFile(msgspec.Struct, frozen=True):
    """One file of a Maven repository: ``group:artifact:packaging[:classifier]:version``, size and digest."""

    coordinate: str
    size_bytes: int
    sha256: str

    @property
    def parts(self) -> tuple[str, str, str, str, str]:
        """Returns group, artifact, packaging, classifier (may be empty) and version."""
        group, artifact, packaging, *classifier, version = self.coordinate.split(":")
        return group, artifact, packaging, classifier[0] if classifier else "", version

    @property
    def place(self) -> Path:
        """Returns the file's path below the root of a Maven repository."""
        group, artifact, packaging, classifier, version = self.parts
        suffix = f"-{classifier}" if classifier else ""
        return Path(*group.split("."), artifact, version, f"{artifact}-{version}{suffix}.{packaging}")

    @property
    def version(self) -> str:
        """Returns the version."""
        return self.parts[-1]


def read_lock(path: Path) -> tuple[LockedFile, ...]:
    """Returns the files of a lock, in class path order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(_parse(line) for line in lines if line and not line.startswith(COMMENT))


def write_lock(path: Path, title: str, files: list[LockedFile]) -> None:
    """Writes a lock that :func:`read_lock` can read."""
    lines = [f"{COMMENT} {title}", f"{COMMENT} sha256, bytes, coordinate"]
    lines += [f"{file.sha256} {file.size_bytes:>9} {file.coordinate}" for file in files]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(coordinate: str, path: Path) -> LockedFile:
    """Returns the lock entry of an existing file."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return LockedFile(coordinate, path.stat().st_size, digest)


def is_locked(file: LockedFile, path: Path) -> bool:
    """Returns whether the file at ``path`` is the locked one."""
    return path.exists() and path.stat().st_size == file.size_bytes and measure(file.coordinate, path) == file


def require_locked(file: LockedFile, path: Path) -> None:
    """Raises :class:`LockMismatchError` if the file at ``path`` is not the locked one."""
    if is_locked(file, path):
        return
    actual = measure(file.coordinate, path)
    message = (
        f"{file.coordinate}: the file at {path} has sha256 {actual.sha256} ({actual.size_bytes} bytes), the lock says "
        f"{file.sha256} ({file.size_bytes} bytes). Delete the file and try again; if it happens twice, do not run it."
    )
    raise LockMismatchError(message)


def _parse(line: str) -> LockedFile:
    sha256, size, coordinate = line.split()
    return LockedFile(coordinate, int(size), sha256)
