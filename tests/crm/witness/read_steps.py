"""What happens by hand in each CRM while a reader and a vendor's client read it."""

from tests.crm.journal_world import JournalWorld
from tests.crm.pull_world import PullWorld
from tests.crm.pull_worlds import DynamicsWorld, SalesforceWorld, ZohoWorld
from tests.crm.witness.reading import Reading


def salesforce() -> Reading:
    """Three pages of contacts, in answers that are shorter; then a conversion, a merge, a deletion and deals."""
    world = SalesforceWorld()
    org = world.org

    def fill() -> None:
        org.batch = 200
        for number in range(1_101):
            org.put("Contact", f"003{number:012d}AAA", Email=f"c{number}@shop.example", Title="Buyer")
        org.put("Lead", "00Q000000000001AAA", Email="l1@shop.example", Status="Open", IsConverted=False)
        org.put("Account", "001000000000001AAA", Name="Shop")

    def change() -> None:
        contact = "003000000000007AAA"
        org.put("Lead", "00Q000000000001AAA", IsConverted=True, ConvertedContactId=contact)
        org.put("Contact", "003000000000001AAA", IsDeleted=True, MasterRecordId=contact)
        org.put("Contact", "003000000000002AAA", IsDeleted=True)
        org.put("Opportunity", "006000000000001AAA", Name="Rollout", StageName="Closed Won", Amount=1200.25,
                IsWon=True, IsClosed=True, ContactId=contact, **{"Contact.Email": "c7@shop.example"})  # fmt: skip
        org.put("Opportunity", "006000000000002AAA", Name="No contact", StageName="New", IsWon=False, IsClosed=False)
        org.put("Task", "00T000000000001AAA", Subject="Price", TaskSubtype="Call", Status="Completed", WhoId=contact)

    return Reading(world, (fill, change))


def hubspot() -> Reading:
    """Pages of contacts in answers that are shorter, deals and calls with and without contacts, a merge, deletions."""
    world = PullWorld(since_days=3)
    hub = world.hub
    people: list[str] = []

    def fill() -> None:
        hub.search_page = 150
        people.extend(hub.put("contacts", email=f"c{number}@shop.example", firstname="A") for number in range(650))
        company = hub.put("companies", name="Shop")
        for number in range(120):
            deal = hub.put("deals", dealname=f"Deal {number}", dealstage="appointmentscheduled", amount="10.5")
            if number % 7:
                hub.link("deals", deal, "contacts", people[number], people[number + 1])
                hub.link("deals", deal, "companies", company)
        call = hub.put("calls", hs_call_title="Price", hs_call_status="COMPLETED")
        hub.link("calls", call, "contacts", people[0])
        hub.put("calls", hs_call_title="Nobody", hs_call_status="NO_ANSWER")

    def change() -> None:
        hub.put("deals", dealname="Rollout", dealstage="closedwon", amount="99", hs_is_closed_won="true")
        hub.merge_by_hand(people[1], people[2])
        for name in people[300:550]:
            hub.remove("contacts", name)

    return Reading(world, (fill, change, lambda: None))


def hubspot_journal() -> Reading:
    """A backfill; then edits, a deletion, a merge and an association in several files; then an offset that expires."""
    world = JournalWorld(since_days=3)
    hub = world.hub
    people: list[str] = []

    def fill() -> None:
        people.extend(hub.put("contacts", email=f"c{number}@shop.example", firstname="A") for number in range(250))
        hub.put("companies", name="Shop")

    def change() -> None:
        hub.file_size = 20
        for name in people[:45]:
            hub.put("contacts", name, firstname="B")
        hub.remove("contacts", people[50])
        hub.merge_by_hand(people[51], people[52])
        deal = hub.put("deals", dealname="Rollout", dealstage="new", amount="10.5")
        hub.link("deals", deal, "contacts", people[0])
        hub.link("calls", hub.put("calls", hs_call_title="Price", hs_call_status="COMPLETED"), "contacts", people[0])

    def expire() -> None:
        hub.put("contacts", people[60], firstname="C")
        world.pass_time(4 * 86_400)

    def edit() -> None:
        hub.put("contacts", people[61], firstname="C")

    def serve_at(url: str) -> None:
        hub.files_url = url

    return Reading(world, (fill, change, lambda: None, expire, edit), serve_at)


def dynamics() -> Reading:
    """Pages of rows and of changes, a qualified lead, a merge, deletions, and links that expire."""
    world = DynamicsWorld()
    tables = world.tables

    def fill() -> None:
        for number in range(8):
            world.put("contacts", _guid(number), emailaddress1=f"c{number}@shop.example", jobtitle="Buyer")
        world.put("leads", _guid(20), emailaddress1="l1@shop.example", statecode=0)
        world.put("accounts", _guid(30), name="Shop")

    def change() -> None:
        world.put("leads", _guid(20), statecode=1, _parentcontactid_value=_guid(0))
        for number in range(1, 6):
            world.put("contacts", _guid(number), jobtitle="Head")
        world.put("contacts", _guid(6), merged=True, _masterid_value=_guid(1))
        tables.remove("contacts", _guid(7))
        world.put("opportunities", _guid(40), name="Rollout", statecode=1, actualvalue=950.5,
                  _parentcontactid_value=_guid(0))  # fmt: skip

    def expire() -> None:
        world.put("contacts", _guid(2), jobtitle="Chief")
        tables.remove("contacts", _guid(3))
        tables.expire()

    def serve_at(url: str) -> None:
        tables.server = url

    return Reading(world, (fill, change, lambda: None, expire, lambda: None), serve_at)


def zoho() -> Reading:
    """Pages of contacts in answers that are shorter, converted leads, a deal, and pages of deleted records."""
    world = ZohoWorld()
    org = world.org

    def fill() -> None:
        org.page = 150
        for number in range(1, 502):
            org.put("Contacts", _long(number), Email=f"c{number}@shop.example", Title="Buyer", Owner={"id": _long(9)})
        org.put("Accounts", _long(900), Account_Name="Shop")
        for number in range(600, 605):
            org.put("Leads", _long(number), Email=f"l{number}@shop.example")

    def change() -> None:
        for number in range(600, 604):
            org.put("Leads", _long(number), Converted__s=True, Converted_Contact={"id": _long(number - 599)})
        org.put("Deals", _long(800), Deal_Name="Rollout", Stage="Closed Won", Amount=1100.5,
                Contact_Name={"id": _long(1)}, **{"Contact_Name.Email": "c1@shop.example"})  # fmt: skip
        for number in range(100, 500):
            org.remove("Contacts", _long(number))

    def serve_at(url: str) -> None:
        org.sink.api = url

    return Reading(world, (fill, change, lambda: None), serve_at)


def _long(number: int) -> str:
    return str(5725767000000600000 + number)


def _guid(number: int) -> str:
    return f"6f3a5d0e-9d0b-5f6e-8d3c-{number:012d}"
