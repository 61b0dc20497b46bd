"""The counts of tracking plans' violations on disk, which ``stitchline plan violations`` reads."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from connectors.collect.tracking import Violation, Violations
from pipeline.atomic_file import replacing
from pipeline.obs.log import logger

FILE: Final = "violations.json"

log = logger(__name__)


class Counted(msgspec.Struct, frozen=True):
    """A violation of a source, and how often it occurred."""

    source: str
    violation: Violation
    count: int


class ViolationFile:
    """A JSON file with the counts of all sources."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved: list[Counted] = []

    def read(self) -> list[Counted]:
        """Returns the counts, most first; none if there is no file.

        Raises:
            OSError: the file cannot be read.
            msgspec.MsgspecError: it has another format.
        """
        try:
            counted = msgspec.json.decode(self._path.read_bytes(), type=list[Counted])
        except FileNotFoundError:
            return []
        return sorted(counted, key=lambda one: (-one.count, one.source, one.violation))

    def restored(self) -> dict[str, Violations]:
        """Returns the counts by source. A file that cannot be read is logged, and counting begins again."""
        try:
            self._saved = self.read()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("violations_not_restored", error=str(error))
        result: dict[str, Violations] = {}
        for counted in self._saved:
            result.setdefault(counted.source, Violations()).counts[counted.violation] = counted.count
        return result

    def save(self, violations: Mapping[str, Violations]) -> None:
        """Writes the counts if they have changed."""
        counted = list(_counted(violations))
        if counted == self._saved:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as file:
                file.write(msgspec.json.encode(counted))
            self._saved = counted
        except OSError as error:
            log.warning("violations_not_saved", error=error.strerror)


def _counted(violations: Mapping[str, Violations]) -> Iterable[Counted]:
    for source, counts in violations.items():
        for violation, count in counts.counts.items():
            yield Counted(source, violation, count)
