"""What a CRM refuses to a pull: limits pause it, a missing right and a wrong connection end it with the CRM's words."""

import msgspec
import pytest

from connectors.crm.fault import StoppedError
from connectors.crm.sink import SinkError
from connectors.sources.crm.memory import Memory
from pipeline.rules.crm_back import CrmTrait
from tests.crm.pull_worlds import DynamicsWorld, SalesforceWorld, ZohoWorld


def read(world, stream="leads"):
    """Reads the first page of a stream."""
    return world.reader(world.http().send, Memory("crm")).changes(stream, "")


def with_trait(world, field, stream="leads"):
    """The world, with a trait of a field that its CRM does not have."""
    back = msgspec.structs.replace(world.connection.back, traits=(CrmTrait(field=field, trait="title", of=(stream,)),))
    world.connection = msgspec.structs.replace(world.connection, back=back)
    return world


@pytest.mark.parametrize(
    ("message", "paused_ms"),
    [
        ("TotalRequests Limit exceeded.", 3_600_000),
        ("ConcurrentRequests (Concurrent API Requests) Limit exceeded.", 0),
    ],
)
def test_a_limit_pauses_although_salesforce_answers_it_with_403(message, paused_ms):
    world = SalesforceWorld()
    world.org.refuses = (403, "REQUEST_LIMIT_EXCEEDED", message)
    with pytest.raises(StoppedError, match=message.partition("(")[0]) as stopped:
        read(world)
    assert stopped.value.pause.after_ms == paused_ms


def test_a_query_that_takes_too_long_is_tried_again():
    world = SalesforceWorld()
    world.org.refuses = (400, "QUERY_TIMEOUT", "Your query request was running for too long.")
    with pytest.raises(StoppedError, match="running for too long"):
        read(world)


def test_a_missing_right_ends_the_pull():
    world = SalesforceWorld()
    world.org.refuses = (403, "API_DISABLED_FOR_ORG", "the API is not enabled")
    with pytest.raises(SinkError, match=r"denies a right \(HTTP 403: API_DISABLED_FOR_ORG: the API is not enabled\)"):
        read(world)


@pytest.mark.parametrize(
    ("world", "words"),
    [
        (SalesforceWorld(), "HTTP 400: INVALID_FIELD: No such column 'Titel' on entity 'Lead'."),
        (DynamicsWorld(), "HTTP 400: 0x80060888 Could not find a property named 'Titel'"),
        (ZohoWorld(), "HTTP 400: INVALID_QUERY: invalid query formed .*Titel"),
    ],
    ids=["salesforce", "dynamics", "zoho"],
)
def test_an_unknown_field_ends_the_pull_with_the_words_of_the_crm(world, words):
    with pytest.raises(SinkError, match=rf"refuses to be read \({words}"):
        read(with_trait(world, "Titel"))
