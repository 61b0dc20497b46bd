"""A record belongs to one tenant, whatever other tenants are called and whatever else it holds."""

import msgspec
import pytest

from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Encoder
from pipeline.identity.profile_id import profile_id
from pipeline.privacy.person import Person
from pipeline.privacy.stated_tenant import Tenants
from pipeline.privacy.tenancy import is_of_tenant
from pipeline.profile.records import ProfileUpdate
from pipeline.testing.build import event
from pipeline.topics import ASSIGNMENTS, CHANGELOGS, DLQ, EVENTS, LEADS, LEDGER, READERS, TOUCHES, UPDATES

IDENT = "email:ada@example.org"
OWN, FOREIGN = profile_id("shop", IDENT).encode(), profile_id("other", IDENT).encode()
PERSON = Person.of("shop", [IDENT])
NODES = CHANGELOGS["stitch"]


@pytest.mark.parametrize(
    ("topic", "key", "value", "is_own"),
    [
        (ASSIGNMENTS, b"shop/email:ada@example.org", b"", True),
        (ASSIGNMENTS, b"other/email:ada@example.org", b"", False),
        (ASSIGNMENTS, b"shopping/email:ada@example.org", b"", False),
        (LEADS, b"shop", b"ada@example.org", True),
        (LEADS, b"other", b"shop ada@example.org", False),
        (NODES, b"nodes/shop/email:ada@example.org", b"", True),
        (NODES, b"nodes/other/shop/email:ada@example.org", b"", False),
        (NODES, b"shop/other/email:ada@example.org", b"", False),
        (LEDGER, b"hubspot/shop/action-1", b"", True),
        (LEDGER, b"shop/other/action-1", b"", False),
        (TOUCHES, OWN, b"", True),
        (TOUCHES, FOREIGN, b"shop/email:ada@example.org", False),
        (UPDATES, FOREIGN, b"merged into " + OWN, True),
        (DLQ, b"shop/email:ada@example.org", b"not avro: ada@example.org", True),
        (DLQ, b"", b"shop ada@example.org", False),
        (READERS, b"crm/contact/7", b"ada@example.org", False),
    ],
)
def test_a_record_is_of_the_tenant_that_its_key_or_profile_id_names(topic, key, value, is_own):
    assert is_of_tenant(PERSON, topic, key, value, None) is is_own


@pytest.mark.parametrize(("tenant", "is_own"), [("shop", True), ("other", False)])
def test_a_decoded_event_names_its_tenant_whatever_its_key(tenant, is_own):
    decoded = event([IDENT], tenant=tenant)
    assert is_of_tenant(PERSON, EVENTS["web"], b"shop/email:ada@example.org", OWN, decoded) is is_own


def packed(*row: object) -> bytes:
    return msgspec.msgpack.encode(row)


@pytest.mark.parametrize(
    ("topic", "key", "value", "tenant"),
    [
        (ASSIGNMENTS, b"other/email:ada@example.org", b"", "other"),
        (LEADS, b"other", b"", "other"),
        (LEDGER, b"shop/other/action-1", b"", "other"),
        (NODES, b"nodes/other/email:ada@example.org", b"", "other"),
        (NODES, b"held/other/email:ada@example.org", b"", None),
        (CHANGELOGS["profile"], b"profiles/" + FOREIGN, packed("other", 2, {IDENT: []}), "other"),
        (CHANGELOGS["profile"], b"timers/other/" + FOREIGN, packed("other", 2), None),
        (CHANGELOGS["profile"], b"profiles/" + FOREIGN, b"\xc1", None),
        (TOUCHES, FOREIGN, packed("touch", "other", IDENT), "other"),
        (TOUCHES, FOREIGN, packed("touch"), None),
        (DLQ, b"other/email:ada@example.org", b"other ada@example.org", None),
        (READERS, b"other/contact/7", b"ada@example.org", None),
        (UPDATES, b"other", b"not avro", None),
    ],
)
def test_a_record_states_its_tenant_only_where_the_tenant_stands_for_certain(topic, key, value, tenant):
    assert Tenants(FileIds()).stated(topic, key, value, None) == tenant


@pytest.mark.parametrize(
    ("key", "tenant"), [(b"crm/contact/7", "other"), (b"crm2/contact/7", "shop"), (b"gone/contact/7", None)]
)
def test_a_row_of_a_crm_reader_is_of_the_tenant_of_its_connection(key, tenant):
    tenants = Tenants(FileIds(), {"crm": "other", "crm2": "shop"})
    assert tenants.stated(READERS, key, b"shop ada@example.org", None) == tenant


def test_an_update_of_a_profile_states_its_tenant_in_its_value():
    encode = Encoder(UPDATES.value, FileIds().id_of(UPDATES.name, UPDATES.value), ProfileUpdate)
    value = encode(ProfileUpdate(tenant="other"))
    assert Tenants(FileIds()).stated(UPDATES, FOREIGN, value, None) == "other"
