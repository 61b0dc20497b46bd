"""Fetching through a repository of our own on the loopback interface: verified, cached, one process at a time."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.local.download import download_progress
from pipeline.local.fetch import cache_dir, fetch, repository, unpack
from pipeline.local.lockfile import LockedFile, LockMismatchError

CONTENT = b"a jar, as far as anyone here can tell" * 1000
JAR = LockedFile("org.example:thing:jar:1.0", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Mirror:
    """A Maven repository named by the user's jgo settings, and its requests."""

    def __init__(self, root: Path) -> None:
        self.root, self.asked = root, list[str]()

    def serve(self, file: LockedFile, content: bytes) -> None:
        path = self.root / file.place
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        path.with_name(path.name + ".sha1").write_text(hashlib.sha1(content).hexdigest())


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    result = Mirror(tmp_path / "mirror")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(result.root))  # type: ignore[arg-type]

        def log_request(self, code: object = "-", size: object = "-") -> None:
            result.asked.append(self.path.rpartition("/")[2])

        def log_error(self, *args: object) -> None:
            result.asked.append("something that is not there")

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        settings = tmp_path / "jgo.conf"
        settings.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield result
        server.shutdown()
        thread.join()


def test_several_that_fetch_at_once_download_each_file_once(mirror: Mirror, capsys: pytest.CaptureFixture[str]) -> None:
    mirror.serve(JAR, CONTENT)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch("thing", (JAR,)), range(4)))
    assert paths == [[repository(cache_dir()) / JAR.place]] * 4
    assert paths[0][0].read_bytes() == CONTENT
    assert mirror.asked.count("thing-1.0.jar") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "thing: 100 %, 0 MB"


def test_a_download_that_was_cut_off_is_fetched_again(mirror: Mirror) -> None:
    mirror.serve(JAR, CONTENT)
    cut_off = repository(cache_dir()) / JAR.place
    cut_off.parent.mkdir(parents=True)
    cut_off.write_bytes(CONTENT[:100])
    assert fetch("thing", (JAR,))[0].read_bytes() == CONTENT


def test_a_repository_that_serves_something_else_than_locked_is_refused_by_name(mirror: Mirror) -> None:
    mirror.serve(JAR, b"something else")
    with pytest.raises(LockMismatchError, match=r"org\.example:thing:jar:1\.0: .* do not run it"):
        fetch("thing", (JAR,))


def test_an_archive_is_unpacked_once(mirror: Mirror) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("lib/inside.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    content = packed.getvalue()
    file = LockedFile("org.example:app:tar.gz:all:2.1", len(content), hashlib.sha256(content).hexdigest())
    mirror.serve(file, content)
    folder = unpack(file, fetch("app", (file,))[0])
    assert (folder / "lib" / "inside.txt").read_text() == "hello"
    before = folder.stat().st_mtime_ns
    assert unpack(file, fetch("app", (file,))[0]) == folder
    assert folder.stat().st_mtime_ns == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_on_a_terminal_a_download_draws_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen = io.StringIO()
    with download_progress("Apache Kafka", 2_000_000, screen) as advance:
        advance(2_000_000)
    assert "2.0/2.0 MB" in screen.getvalue()
