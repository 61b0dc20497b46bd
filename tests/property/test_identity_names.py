"""A profile id never passes between two people unless they were one customer, over every prefix of random lives."""

from typing import get_args

import pytest

from pipeline.identity.rules import Policy
from tests.support.name_histories import Holders, by_age, by_claim, lives, prefixes

POLICIES = [policy for policy in get_args(Policy) if policy != "by-preset"]
LIVES = 700


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("facts", [False, True], ids=["", "with vetoes"])
def test_no_id_passes_from_one_person_to_another(policy: Policy, facts: bool):
    for seed, book, steps in lives(policy, range(LIVES // 2 if facts else LIVES), facts=facts):
        holders = Holders(book, by_claim)
        for prefix in prefixes(steps, book):
            holders.take(prefix)
        assert (holders.passed, holders.clashes) == ([], 0), f"life {seed} under {policy}"


def test_the_lives_show_what_a_rule_without_claims_does_wrong():
    passed = 0
    for _, policy, steps in lives("latest", range(LIVES)):
        holders = Holders(policy, by_age)
        for prefix in prefixes(steps, policy):
            holders.take(prefix)
        passed += len(holders.passed)
    assert passed > 0
