"""Finds the customer that owns an identifier, in STITCH's graph on Kafka."""

from pipeline.kafka.reading import silent
from pipeline.privacy.person import Person
from pipeline.query.identity import StoredIdentity, read_identity
from pipeline.query.naming import Naming
from pipeline.rules.model import Rules
from pipeline.settings import Settings


def find_person(settings: Settings, rules: Rules, text: str, tenant: str) -> tuple[Person, StoredIdentity]:
    """Returns the person, the given identifier first, and the identity graph that was read.

    Raises:
        NotAnIdentifierError: the text is not an identifier.
        MissingTopicError: the topics do not exist: no worker has run yet.
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    ident = Naming(rules).identifier(text, or_blocked=True)
    identity = read_identity(settings, tenant, silent)
    others = [other for other in identity.customer(ident) if other != ident]
    return Person.of(tenant, [ident, *others]), identity
