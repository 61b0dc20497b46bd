"""axe-core, which checks pages for barriers: the release of its npm package, verified by its hash."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
FILE = Path(tempfile.gettempdir()) / f"axe-core-{VERSION}.min.js"
SECONDS = 120


def axe_source() -> str | None:
    """Returns the text of ``axe.min.js``; None if npm is missing or reaches no registry."""
    if not (FILE.exists() and _hash(FILE.read_bytes()) == SHA256):
        body = _packed()
        if body is None:
            return None
        assert _hash(body) == SHA256, f"axe-core {VERSION} is not the release that was expected"
        FILE.write_bytes(body)
    return FILE.read_text()


def _packed() -> bytes | None:
    npm = shutil.which("npm")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", folder]
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        packed = next(Path(folder).glob("*.tgz"), None)
        if done.returncode or packed is None:
            return None
        with tarfile.open(packed) as archive:
            file = archive.extractfile("package/axe.min.js")
            assert file is not None
            return file.read()


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
