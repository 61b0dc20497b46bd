"""Checks the final state of leads against the episodes in the customers' ledgers."""

from collections.abc import Iterable, Mapping

from pipeline.profile.row import ProfileRow
from pipeline.trigger.action import action_id
from pipeline.trigger.episodes import opened


def check_leads(rows: Iterable[ProfileRow], last_words: Mapping[str, str]) -> None:
    """Checks that of a customer's open episodes of a trigger the earliest is a lead and the others duplicate it.

    ``last_words`` maps each action id to the action id that it duplicates by the last published record, or "".
    """
    for row in rows:
        for trigger in {name for ledger in row.anchors.values() for name in ledger.episodes}:
            current = sorted(opened(row, trigger), key=lambda item: item[:2])
            names = [action_id(row.tenant, anchor, trigger, episode.number) for _, anchor, episode in current]
            assert [last_words.get(name) for name in names] == ["", *names[:1] * len(names)][: len(names)]
