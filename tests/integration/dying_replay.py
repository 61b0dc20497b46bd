"""A replay that kills itself with -9 just before or just after a commit: ``python dying_replay.py before 2``."""

import os
import signal
import sys
from collections.abc import Mapping

from pipeline.control.replay import Position, Replay
from pipeline.settings import Settings


class Dying(Replay):
    """The real one, up to its last breath."""

    commits = 0

    def _commit(self, positions: Mapping[int, Position]) -> None:
        moment, number = sys.argv[1], int(sys.argv[2])
        self.commits += 1
        if moment == "before" and self.commits == number:
            self._transactions._producer.flush()  # on the broker, in a transaction that stays open
            os.kill(os.getpid(), signal.SIGKILL)
        super()._commit(positions)
        if moment == "after" and self.commits == number:
            os.kill(os.getpid(), signal.SIGKILL)


with Dying(Settings(), dry_run=False) as run:
    run.run()
