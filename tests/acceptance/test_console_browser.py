"""The console in a real Chromium: no barriers by axe, no complaint of the browser, by keyboard and on a phone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import schemas
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder, Encoder
from pipeline.local.ports import free_ports
from pipeline.serve.console.app import PAGES
from pipeline.serve.model.fold import Fold
from pipeline.serve.signin.roles import RIGHTS, Role
from pipeline.testing.log import MemoryRecord
from pipeline.topics import ACTIONS
from tests.conftest import say
from tests.support.axe import axe_source, keep_picture
from tests.support.browser import DESKTOP, PHONE, Page, browser, chromium
from tests.support.console import NOW_MS, PASSWORD, World, serving
from tests.support.model_records import END_MS, ModelRecords

HOSTILE = "<img src=x onerror=document.title=1>"
SIZES = {"desktop": (*DESKTOP, False), "phone": (*PHONE, False), "desktop, dark": (*DESKTOP, True)}
MAX_PAGE_BYTES = 300_000
WEIGHT = """(() => {
  const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return {
    bytes: loaded.reduce((sum, one) => sum + one.decodedBodySize, 0),
    paint_ms: paint ? Math.round(paint.startTime) : null,
  };
})()"""
Scenario = Callable[[Page, str], Awaitable[None]]


@pytest.fixture(scope="module")
def axe() -> str:
    source = axe_source()
    if source is None:
        pytest.skip("axe-core cannot be fetched with npm: barriers NOT TESTED")
    return source


@pytest.fixture(scope="module")
def records() -> ModelRecords:
    made = ModelRecords(seed=5, people=40, events=900)
    made.tell(
        {"type": "identify", "userId": "mallory", "messageId": "m-1", "timestamp": END_MS, "channel": "web",
         "traits": {"first_name": HOSTILE, "city": HOSTILE}},
        {"type": "group", "userId": "mallory", "groupId": "acme", "messageId": "m-2", "timestamp": END_MS,
         "channel": "web", "traits": {"name": HOSTILE, "seats": 12}},
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, records: ModelRecords) -> Iterator[World]:
    if chromium() is None:
        pytest.skip("there is no Chromium: the console in a browser is NOT TESTED (Debian: apt-get install chromium)")
    with World(tmp_path_factory.mktemp("console"), records, lambda: NOW_MS) as made:
        yield made


@pytest.fixture(scope="module")
def base(world: World) -> Iterator[str]:
    """The console on a free port."""
    (port,) = free_ports(1)
    with serving(world.app, port):
        yield f"http://127.0.0.1:{port}"


def run(base: str, role: Role | None, scenario: Scenario) -> None:
    """Runs a scenario in a fresh browser, signed in with a role. The browser may complain of nothing."""

    async def all_of_it() -> None:
        path = chromium()
        assert path is not None
        async with browser(path) as page:
            await page.size(*DESKTOP)
            if role is not None:
                await page.sign_in(base, f"{role.value}@shop.example", PASSWORD)
            await scenario(page, base)
            assert page.complaints == []
            assert page.hosts == {base.removeprefix("http://")}

    asyncio.run(all_of_it())


def paths(world: World, role: Role) -> list[str]:
    mallory = world.reads.profiles.find("default", "user_id:mallory")
    lead = world.reads.leads.page("default").items[0]
    assert mallory is not None
    parts = {
        "profile_id": lead["profile_id"], "action_id": lead["action_id"], "name": "engaged", "place": "0:0",
        "request_id": "r",
    }  # fmt: skip
    shown = [
        path.format(**parts)
        for method, path, right, _ in PAGES
        if method == "GET" and right in RIGHTS[role] and path not in {"/live", "/sources/live", "/quarantine/{place}"}
        if not path.endswith("/timeline") and "/requests/" not in path  # see test_console_privacy.py
    ]
    shown = [f"{path}?account=acme" if path == "/accounts/members" else path for path in shown]
    return [*shown, f"/customers/{mallory.profile_id}", "/customers?q=nothing@at.all", "/rules?file=crm.yaml"]


async def barriers(page: Page, axe: str) -> list[str]:
    """What axe finds on the page."""
    await page.run(axe + ";0")
    found = await page.run("axe.run(document).then(done => done.violations)")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0].get('failureSummary')}" for one in found]


@pytest.mark.parametrize("role", [Role.ADMIN, Role.VIEWER])
def test_no_page_has_a_barrier_or_is_wider_than_the_window(world: World, base: str, axe: str, role: Role) -> None:
    wrong: list[tuple[str, str, str]] = []

    async def scenario(page: Page, base: str) -> None:
        for path in paths(world, role):
            for label, (width, height, dark) in SIZES.items():
                await page.size(width, height, dark=dark)
                await page.open(base + path)
                wrong.extend((path, label, found) for found in await barriers(page, axe))
                shown = await page.run("document.documentElement.scrollWidth")
                wrong.extend([(path, label, f"{shown} pixels wide")] if shown > width else [])
                await keep_picture(page, f"{role.value} {path} {label}")
                assert await page.run("document.title.includes('Stitchline')"), "a customer's text ran as a script"

    run(base, role, scenario)
    assert wrong == []


def test_the_sign_in_page_has_no_barrier(base: str, axe: str) -> None:
    async def scenario(page: Page, base: str) -> None:
        await page.open(f"{base}/sign-in")
        assert await barriers(page, axe) == []

    run(base, None, scenario)


def test_the_pages_are_light_and_shown_soon(world: World, base: str, pytestconfig: pytest.Config) -> None:
    weights: dict[str, Any] = {}

    async def scenario(page: Page, base: str) -> None:
        await page.call("Network.setCacheDisabled", cacheDisabled=True)
        for path in paths(world, Role.MARKETER):
            await page.open(base + path)
            weights[path] = await page.run(WEIGHT)
            assert weights[path]["bytes"] < MAX_PAGE_BYTES, (path, weights[path])

    run(base, Role.MARKETER, scenario)
    heaviest, latest = (max(one[name] or 0 for one in weights.values()) for name in ("bytes", "paint_ms"))
    say(pytestconfig, "console", f"pages of at most {heaviest} bytes with all assets, painted within {latest} ms")


def test_a_condition_is_counted_and_its_mistake_marked_while_it_is_typed(base: str) -> None:
    async def scenario(page: Page, base: str) -> None:
        await page.open(f"{base}/segments")
        await page.run("document.querySelector('#when').focus()")
        await page.call("Input.insertText", text="orders over 90 d >=")
        await page.until("document.querySelector('#preview mark')")
        assert "a value is missing" in await page.run("document.querySelector('#preview').textContent")
        await page.call("Input.insertText", text=" 1")
        await page.until("document.querySelector('#preview .value')")
        assert await page.run("document.querySelector('#preview mark')") is None

    run(base, Role.MARKETER, scenario)


def test_the_keyboard_reaches_the_content_and_the_search(base: str) -> None:
    async def scenario(page: Page, base: str) -> None:
        await page.open(f"{base}/leads")
        await page.key("Tab", number=9)
        assert await page.run("document.activeElement.className") == "skip"
        await page.key("Enter", number=13)
        await page.until("document.activeElement.id === 'main'")
        await page.key("/", "Slash", 191)
        await page.until("location.pathname === '/customers' && document.readyState === 'complete'")
        await page.key("/", "Slash", 191)
        assert await page.run("document.activeElement.id") == "q"
        await page.key("/", "Slash", 191)
        assert await page.run("document.activeElement.value") == "/"

    run(base, Role.MARKETER, scenario)


def test_a_new_lead_appears_on_the_open_overview(world: World, records: ModelRecords, base: str) -> None:
    lead = records.by_place[_place_of_actions(records)][-1]

    def count() -> int:
        return world.reads.overview.totals("default").leads

    async def scenario(page: Page, base: str) -> None:
        await page.open(base + "/")
        before = count()
        await page.until(f"document.querySelectorAll('.tiles dd')[2].firstChild.textContent.trim() === '{before}'")
        await asyncio.to_thread(_another, world, lead)
        await page.until(f"document.querySelectorAll('.tiles dd')[2].firstChild.textContent.trim() === '{before + 1}'")

    run(base, Role.VIEWER, scenario)


def test_signing_out_needs_a_new_sign_in(base: str) -> None:
    async def scenario(page: Page, base: str) -> None:
        await page.open(base + "/")
        await page.run("document.querySelector('.who form').requestSubmit()")
        await page.until("location.pathname === '/sign-in' && document.readyState === 'complete'")
        await page.open(f"{base}/leads")
        assert await page.run("location.pathname + location.search") == "/sign-in?back=/leads"

    run(base, Role.VIEWER, scenario)


def _place_of_actions(records: ModelRecords) -> tuple[str, int]:
    return next(place for place, made in sorted(records.by_place.items()) if "crm.actions" in place[0] and made)


def _another(world: World, lead: MemoryRecord) -> None:
    """Folds one more lead into the read model, made from a real record."""
    ids = FileIds()
    action = Decoder(ACTIONS.value, ids.writer)(lead.value()) | {"action_id": "another", "kind": "lead", "revision": 1}
    value = Encoder(ACTIONS.value, ids.id_of("", ACTIONS.value))(action)
    record = MemoryRecord(lead.topic(), lead.offset() + 1000, lead.key(), value, None, partition=0)
    with world.store.writing() as connection:
        Fold(schemas.text_of_own_id, "cdp").apply(connection, [record], into_feed=True)
