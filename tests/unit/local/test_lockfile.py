"""The lock names every file of a server to the byte."""

from pathlib import Path

import pytest

from pipeline.local.lockfile import HERE, LockedFile, LockMismatchError, is_locked, measure, read_lock, require_locked
from pipeline.local.lockfile import write_lock as write


def test_a_written_lock_reads_back_with_versions_classifiers_and_places(tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"jar")
    files = [measure("org.example.a:thing:jar:1.0", content), measure("org.example:app:tar.gz:all:2.1", content)]
    write(tmp_path / "some.lock", "Some server", files)
    assert read_lock(tmp_path / "some.lock") == tuple(files)
    assert [str(file.place) for file in files] == [
        "org/example/a/thing/1.0/thing-1.0.jar",
        "org/example/app/2.1/app-2.1-all.tar.gz",
    ]
    assert [file.version for file in files] == ["1.0", "2.1"]


def test_a_file_of_other_content_or_none_at_all_is_not_the_locked_one(tmp_path: Path) -> None:
    path = tmp_path / "thing.jar"
    locked = LockedFile("org.example:thing:jar:1.0", 3, "0" * 64)
    assert not is_locked(locked, path)
    path.write_bytes(b"jar")
    assert not is_locked(locked, path)
    with pytest.raises(LockMismatchError, match=rf"thing:jar:1\.0: .*{path}.* the lock says {locked.sha256}"):
        require_locked(locked, path)
    require_locked(measure(locked.coordinate, path), path)


def test_the_committed_locks_name_the_servers_first_and_no_place_to_get_them_from() -> None:
    kafka, registry = read_lock(HERE / "kafka.lock"), read_lock(HERE / "registry.lock")
    assert kafka[0].coordinate == "org.apache.kafka:kafka_2.13:jar:4.3.1"
    assert registry[0].coordinate == "io.apicurio:apicurio-registry-app:tar.gz:all:3.3.3"
    assert len({file.place.name for file in kafka}) == len(kafka)
    assert all(len(file.sha256) == 64 and file.size_bytes > 0 for file in kafka + registry)
    assert "://" not in (HERE / "kafka.lock").read_text() + (HERE / "registry.lock").read_text()
