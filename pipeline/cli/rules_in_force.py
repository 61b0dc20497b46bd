"""Whether a command reads by the rules that the workers run."""

from pathlib import Path

from confluent_kafka import KafkaException

from pipeline.cli.connect import connected
from pipeline.cli.explained import complain
from pipeline.kafka.reading import MissingTopicError
from pipeline.query.published_rules import published_rules_version
from pipeline.rules.model import Rules
from pipeline.rules.version import rules_version
from pipeline.settings import Settings


def note_other_rules(settings: Settings, rules: Rules) -> bool:
    """Prints a note to stderr if other rules than these made the newest profile updates. Returns whether it did."""
    try:
        published = published_rules_version(settings)
    except (MissingTopicError, KafkaException):
        return False  # the command itself reads Kafka next and reports the error
    mine = rules_version(rules)
    if published in {"", mine}:
        return False
    where = settings.rules_dir or "the shipped ones; set STITCHLINE_RULES_DIR"
    complain(
        f"note: the workers' newest updates were made by rules {published}; this command reads by {mine} ({where})"
    )
    return True


def connected_under(settings: Settings, rules: Rules, rules_dir: Path | None) -> Settings:
    """Returns the settings with a Kafka to read. Notes other rules of the workers, unless ``rules_dir`` chose these."""
    settings = connected(settings)
    if rules_dir is None:
        note_other_rules(settings, rules)
    return settings
