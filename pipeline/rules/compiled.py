"""Rules files compiled for PROFILE: the one way from what a marketer wrote to what stages and commands work by."""

from pipeline.profile.rulebook import Rulebook
from pipeline.rules.model import Rules
from pipeline.trigger.rulebook import compile_rules


def compiled(rules: Rules) -> Rulebook:
    """What is booked, how it is read, and what follows."""
    return compile_rules(rules.aggregates, rules.scores, rules.triggers, rules.segments)
