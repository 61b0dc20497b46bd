"""The sources in force, read again when ``sources.yaml`` changes, so that a revoked key needs no restart."""

import asyncio
from pathlib import Path
from typing import Final

from connectors.collect.caps import CapsFile
from connectors.collect.sources import Sources, live_sources
from connectors.collect.violation_file import ViolationFile
from pipeline.errors import SecretError
from pipeline.obs.log import logger
from pipeline.rules.load import DEFAULTS, load_rules
from pipeline.rules.problem import RulesError

FILE: Final = "sources.yaml"
LOOK_SECONDS: Final = 2.0
SAVE_LOOKS: Final = 3
"""The counts are saved at every third look."""

log = logger(__name__)


class WatchedSources:
    """Holds the sources in force. A file with mistakes leaves the earlier ones in force, and is logged."""

    def __init__(self, rules_dir: Path | None, caps: CapsFile, violations: ViolationFile) -> None:
        """Reads the sources.

        Raises:
            RulesError: the rules have mistakes.
            SecretError: a secret file cannot be read.
        """
        self._rules_dir = rules_dir
        self._folder = rules_dir or DEFAULTS
        self._caps, self._violations = caps, violations
        self._seen = self._state()
        rules = load_rules(rules_dir).sources
        self.current: Sources = live_sources(rules, self._folder, violations=violations.restored())
        caps.restore(self.current)

    async def watch(self) -> None:
        """Looks for changes again and again, and saves the counts."""
        looks = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.look)  # reading the rules takes longer than a request may wait
            looks += 1
            if looks % SAVE_LOOKS == 0:
                self.save_counts()

    def look(self) -> None:
        """Reads the file again if it has changed."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            rules = load_rules(self._rules_dir)
            self.current = live_sources(rules.sources, self._folder, self.current)
        except (RulesError, SecretError) as error:
            log.warning("sources_not_reloaded", problem=str(error))
            return
        log.info("sources_reloaded", sources=len(rules.sources.sources))

    def save_counts(self) -> None:
        """Writes the counts of the daily caps and of the tracking plans' violations."""
        self._caps.save(self.current)
        self._violations.save({source.name: source.violations for source in self.current.all()})

    def _state(self) -> tuple[int, int, int] | None:
        """Returns what changes when the file is replaced or written."""
        try:
            status = (self._folder / FILE).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
