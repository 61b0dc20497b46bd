"""Waits until pulls of CRMs have removed an erased person from what they remember."""

import time
from typing import Final

from pipeline.kafka.reading import silent
from pipeline.privacy.person import Person
from pipeline.privacy.search import TopicSearch
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.topics import READERS

POLL_SECONDS: Final = 1.0


def wait_for_pulls(settings: Settings, rules: Rules, person: Person, within_seconds: float) -> None:
    """Returns once no current row of a CRM reader names the person, or after ``within_seconds``.

    A pull removes the rows when it next reads the CRM. One that does not run removes them at its next start.

    Raises:
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    deadline = time.monotonic() + within_seconds
    while _is_remembered(settings, rules, person) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _is_remembered(settings: Settings, rules: Rules, person: Person) -> bool:
    search = TopicSearch(settings, rules)
    found = list(search.records(person, silent, [READERS]))
    return any(map(search.is_current, found))
