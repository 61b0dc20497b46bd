"""What happens by hand in each CRM while a reader and a vendor's client read it."""

from tests.crm.pull_worlds import SalesforceWorld
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
