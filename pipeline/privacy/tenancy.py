"""Whether a record belongs to a tenant, for callers that may see the data of one tenant only.

Different tenants may know one person by the same address, and the search for a person compares bytes.
"""

from pipeline.event.model import Event
from pipeline.privacy.person import Person
from pipeline.privacy.search import Found
from pipeline.privacy.stated_tenant import TENANT_SECOND
from pipeline.topics import READERS, Topic


def is_own(person: Person, found: Found) -> bool:
    """Returns whether a found record is of the person's tenant; see :func:`is_of_tenant`.

    The row of a CRM reader is of the tenant that ``crm.yaml`` gives to its connection.
    """
    message = found.message
    if found.topic is READERS:
        return found.tenant == person.tenant
    return is_of_tenant(person, found.topic, message.key() or b"", message.value() or b"", found.event)


def is_of_tenant(person: Person, topic: Topic, key: bytes, value: bytes, event: Event | None) -> bool:
    """Returns whether a record that names the person is of the person's tenant.

    False if that cannot be determined from the record: rows of CRM readers, rows of a replay that wait behind
    watermarks, and quarantined records with a foreign key.
    """
    if event is not None:
        return event.tenant == person.tenant
    if person.has_profile_in(key) or person.has_profile_in(value):
        return True  # a profile id is a digest of tenant and identifier
    parts = key.split(b"/", 2)
    position = 1 if topic in TENANT_SECOND else 0
    return len(parts) > position and parts[position] == person.tenant.encode()
