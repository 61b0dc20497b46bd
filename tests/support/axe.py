"""axe-core, which checks pages for barriers: the release of its npm package, verified by its hash."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.support.browser import DESKTOP, PHONE, Page

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
FILE = Path(tempfile.gettempdir()) / f"axe-core-{VERSION}.min.js"
SECONDS = 120
REACHABLE = "[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth || e.tabIndex === 0)"
"""Whether the script has made wide tables reachable by keyboard, a moment after the window's size changed."""


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


async def keep_picture(page: Page, name: str) -> None:
    """Writes a picture of the whole page to the folder that the variable PICTURES names, if it is set."""
    if folder := os.environ.get("PICTURES"):
        name = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
        (Path(folder) / f"{name}.png").write_bytes(await page.picture())


async def looked_at(page: Page, axe: str, name: str) -> None:
    """No barrier and no sideways scrolling at any size; pictures go to the folder PICTURES, if it is set."""
    for label, (width, height), dark in (("desktop", DESKTOP, False), ("phone", PHONE, False), ("dark", PHONE, True)):
        await page.size(width, height, dark=dark)
        await page.until(REACHABLE)
        await page.run(axe + ";0")
        found = await page.run("axe.run(document).then(done => done.violations)")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (name, label)
        assert await page.run("document.documentElement.scrollWidth") <= width, (name, label)
        await keep_picture(page, f"{name}-{label}")
    await page.size(*DESKTOP)
