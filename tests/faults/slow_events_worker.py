"""The worker, whose INTAKE stage takes 9 ms for an event, as many rules and long histories can."""

import sys
import time
from collections.abc import Sequence

from pipeline.cli import main
from pipeline.kafka.record import Record
from pipeline.stream.stages.intake import IntakeStage

EVENT_S = 0.009

process = IntakeStage.on_batch


def slowly(stage: IntakeStage, topic: str, batch: Sequence[Record]) -> None:
    """Processes a batch record by record, so that the first one opens the transaction on the broker."""
    for at in range(len(batch)):
        process(stage, topic, batch[at : at + 1])
        time.sleep(EVENT_S)


if __name__ == "__main__":
    IntakeStage.on_batch = slowly  # type: ignore[method-assign]
    sys.argv = [sys.argv[0], "worker"]
    main()
