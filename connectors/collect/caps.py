"""The daily caps' counts on disk, so that a restart does not begin the day again."""

from pathlib import Path

import msgspec

from connectors.collect.sources import Sources
from pipeline.atomic_file import replacing
from pipeline.obs.log import logger

log = logger(__name__)


class Taken(msgspec.Struct):
    """Events of a source on a day."""

    day: int
    taken: int


class CapsFile:
    """A JSON file with the counts by source."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = b""

    def restore(self, sources: Sources) -> None:
        """Sets the counts of the sources. Does nothing if there is no file, or none that can be read."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Taken])
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("caps_not_restored", error=str(error))
            return
        for source in sources.all():
            if (taken := kept.get(source.name)) is not None:
                source.cap.day, source.cap.taken = taken.day, taken.taken

    def save(self, sources: Sources) -> None:
        """Writes the counts if they have changed."""
        counts = {source.name: Taken(source.cap.day, source.cap.taken) for source in sources.all()}
        encoded = msgspec.json.encode(counts)
        if encoded == self._saved:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as file:
                file.write(encoded)
            self._saved = encoded
        except OSError as error:
            log.warning("caps_not_saved", error=error.strerror)
