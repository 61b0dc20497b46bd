"""Checks of this machine: rules, state folder, disk, descriptors, clock, schema registry."""

import os
import resource
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipeline.avro.registry import RegistryError, schema_ids
from pipeline.control.doctor.finding import Finding, fail, ok, warn
from pipeline.rules.load import check_rules
from pipeline.settings import Settings
from pipeline.topics import ALL

LOW_DISK_BYTES: Final = 5 << 30
NO_DISK_BYTES: Final = 512 << 20
LOW_DESCRIPTORS: Final = 4096
"""RocksDB keeps up to 512 files open per stage and partition."""
CLOCK_TOLERANCE_SECONDS: Final = 60.0
OLDEST_CLOCK: Final = datetime(2026, 1, 1, tzinfo=UTC)
GIB: Final = 1 << 30


def rules(settings: Settings) -> Finding:
    """Checks the rules files."""
    where = str(settings.rules_dir or "the shipped defaults")
    if settings.rules_dir is not None and not settings.rules_dir.is_dir():
        return fail("rules", f"{where} is no folder", "correct STITCHLINE_RULES_DIR, or unset it for the defaults")
    _, problems = check_rules(settings.rules_dir)
    if problems:
        return fail("rules", f"{len(problems)} problems in {where}", "run: stitchline rules check")
    return ok("rules", where)


def state_folder(settings: Settings) -> Finding:
    """Checks that a file can be written to the folder where workers store their state."""
    folder = _existing(settings.home)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        action = "set STITCHLINE_HOME to a folder that this user may write, or change the folder's owner"
        return fail("state folder", f"{settings.home.resolve()} is not writable ({error.strerror})", action)
    return ok("state folder", f"{settings.home.resolve()} is writable")


def disk(settings: Settings) -> Finding:
    """Checks the free space of the state folder's file system."""
    free = shutil.disk_usage(_existing(settings.home)).free
    detail = f"{free / GIB:.1f} GiB free at {settings.home.resolve()}"
    action = "free space, or move STITCHLINE_HOME; see deploy/runbooks/disk-full.md"
    if free < NO_DISK_BYTES:
        return fail("disk", detail, action)
    return warn("disk", detail, action) if free < LOW_DISK_BYTES else ok("disk", detail)


def descriptors() -> Finding:
    """Checks the number of files that this user's processes may keep open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < LOW_DESCRIPTORS:
        action = f"raise it to {LOW_DESCRIPTORS} or more for the workers (ulimit -n, LimitNOFILE=)"
        return warn("descriptors", f"a process may open {soft} files", action)
    return ok("descriptors", f"a process may open {'any number of' if soft == resource.RLIM_INFINITY else soft} files")


def clock(settings: Settings, now: datetime) -> Finding:
    """Checks that the clock is not before the release or before the newest file that a worker has written here."""
    action = "set the clock (NTP); workers decide by it which timers are due"
    if now < OLDEST_CLOCK:
        return fail("clock", f"it says {now:%Y-%m-%d %H:%M} UTC, before this release", action)
    files = (settings.home / "state").rglob("*")
    newest = max((stat.st_mtime for file in files if (stat := _stat(file)) is not None), default=0.0)
    ahead = newest - now.timestamp()
    if ahead > CLOCK_TOLERANCE_SECONDS:
        return fail("clock", f"state was written {ahead:.0f} s in the future: the clock went back", action)
    return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def registry(settings: Settings) -> Finding:
    """Checks that the schema registry answers, if one is configured."""
    if not settings.schema_registry_url:
        return ok("registry", "none configured: the ids of the schema files are used")
    topic = next(topic for topic in ALL if topic.value not in {"msgpack", "bytes"})
    try:
        schema_ids(settings.schema_registry_url).id_of(topic.of(settings.topic_prefix), topic.value)
    except RegistryError as error:
        return fail("registry", str(error), "start the registry, or correct STITCHLINE_SCHEMA_REGISTRY_URL")
    return ok("registry", "answers")


def _existing(folder: Path) -> Path:
    """Returns the folder, or its nearest existing parent: workers create the rest."""
    folder = folder.resolve()
    while not folder.exists():
        folder = folder.parent
    return folder


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except FileNotFoundError:  # a running worker's RocksDB deletes files when it compacts
        return None
