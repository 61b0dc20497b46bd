"""Whether a command reads by the rules that the workers run."""

from confluent_kafka import KafkaException

from pipeline.cli.explained import complain
from pipeline.kafka.reading import MissingTopicError
from pipeline.query.published_rules import published_rules_version
from pipeline.rules.model import Rules
from pipeline.rules.version import rules_version
from pipeline.settings import Settings


def note_other_rules(settings: Settings, rules: Rules) -> None:
    """Print a line to stderr if the newest profile updates were made by other rules than these."""
    try:
        published = published_rules_version(settings)
    except (MissingTopicError, KafkaException):
        return  # the command itself reads Kafka next, and says what is wrong with it
    mine = rules_version(rules)
    if published not in {"", mine}:
        where = settings.rules_dir or "the shipped ones; set STITCHLINE_RULES_DIR"
        complain(
            f"note: the workers' newest updates were made by rules {published}; this command reads by {mine} ({where})"
        )
