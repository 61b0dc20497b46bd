"""Zoho's modules by time of change: edits, a conversion, a won deal, deletions, many records with one time."""

import re
from typing import Any

import httpx2
import msgspec
import pytest

from pipeline.event.instant import format_instant, parse_instant
from pipeline.rules.crm import CrmConnection, CrmField, CrmLogin
from pipeline.rules.crm_back import CrmBack, CrmTrait
from tests.crm.pull_world import PullWorld, names

COQL = re.compile(
    r"select (?P<fields>[\w., ]+) from (?P<module>\w+) where \(?Modified_Time between '(?P<since>[^']+)' and"
    r" '(?P<until>[^']+)'\)?(?: and id > (?P<after>\d+))? order by id asc limit (?P<limit>\d+)"
)


class QueryableZoho:
    """The modules of one organisation."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.modules: dict[str, dict[str, dict[str, Any]]] = {}
        self.deleted: dict[str, list[tuple[str, int]]] = {}

    def put(self, module: str, row: str, /, **fields: Any) -> None:
        now = format_instant(self.clock())
        held = self.modules.setdefault(module, {}).setdefault(row, {"id": row, "Created_Time": now})
        held |= {"Modified_Time": now, **fields}

    def remove(self, module: str, row: str) -> None:
        del self.modules[module][row]
        self.deleted.setdefault(module, []).append((row, self.clock()))

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/coql"):
            asked = COQL.fullmatch(msgspec.json.decode(request.content)["select_query"])
            assert asked, request.content
            rows = self._selected(asked)
        else:
            module = request.url.path.split("/")[-2]
            since = parse_instant(request.headers["if-modified-since"]) or 0
            rows = [
                {"id": name, "deleted_time": format_instant(at_ms), "type": "permanent"}
                for name, at_ms in self.deleted.get(module, [])
                if at_ms >= since
            ]
        return httpx2.Response(200, content=msgspec.json.encode({"data": rows})) if rows else httpx2.Response(204)

    def _selected(self, asked: re.Match[str]) -> list[dict[str, Any]]:
        since, until = parse_instant(asked["since"]) or 0, parse_instant(asked["until"]) or 0
        rows = [
            {field: row.get(field) for field in asked["fields"].split(", ")}
            for name, row in sorted(self.modules.get(asked["module"], {}).items())
            if since <= (parse_instant(row["Modified_Time"]) or 0) <= until and int(name) > int(asked["after"] or 0)
        ]
        return rows[: int(asked["limit"])]


class ZohoWorld(PullWorld):
    """The same, with Zoho's queries."""

    def __init__(self) -> None:
        super().__init__()
        self.org = QueryableZoho(self.clock)
        self.connection = CrmConnection(
            name="zoho", kind="zoho", secret="env:CRM_SECRET", url="https://accounts.zoho.eu",
            login=CrmLogin(client_id="app", refresh_token="env:CRM_REFRESH"),
            fields=(CrmField(to="Last_Name", value="contact.lastName", default="Unknown"),),
            back=CrmBack(traits=(CrmTrait(field="Title", trait="title"),), currency="EUR", since_days=3),
        )  # fmt: skip

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url="https://zoho.example", transport=httpx2.MockTransport(self.org.handle))

    def key(self) -> str:
        return "token"


@pytest.fixture
def world():
    return ZohoWorld()


def test_a_lead_is_edited_converted_and_its_deal_won(world):
    world.org.put("Leads", "1", Email="c1@shop.example", Title="Buyer", Owner={"id": "9", "name": "Ann"})
    (event,) = world.pull()
    assert event.traits == {"title": "Buyer", "owner": "9"}
    world.org.put("Contacts", "2", Email="c1@shop.example", Account_Name={"id": "3"})
    world.org.put("Leads", "1", Converted__s=True, Converted_Contact={"id": "2"})
    world.org.put("Deals", "4", Deal_Name="Rollout", Stage="Qualification", Amount=1000, Contact_Name={"id": "2"})
    assert sorted(names(world.pull())) == ["Deal Created", "Lead Converted", "group", "identify"]
    assert [(one.a, one.b) for one in world.topics.commands] == [("crm_contact_id:1", "crm_contact_id:2")]
    world.org.put("Deals", "4", Stage="Closed Won", Amount=1100.5)
    won = next(event for event in world.pull() if event.name == "Deal Won")
    assert (won.amount_minor, won.identifiers) == (110_050, ["crm_contact_id:2"])
    world.org.put("Deals", "4", Stage="Closed Lost to Competition")
    assert "Deal Lost" in names(world.pull())


def test_deleted_records_and_many_with_one_time(world):
    for number in range(1, 452):
        world.org.put("Contacts", f"{number:06d}", Title="Buyer")
    assert len({event.identifiers[0] for event in world.pull()}) == 451
    world.org.remove("Contacts", "000007")
    assert [(event.name, event.identifiers) for event in world.pull()] == [
        ("Contact Deleted", ["crm_contact_id:000007"])
    ]
    assert world.pull() == []
