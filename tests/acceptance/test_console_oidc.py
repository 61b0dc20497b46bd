"""Sign-in at an OpenID provider of another site, in a real Chromium, which applies SameSite and the content policy."""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from pipeline.clock import wall_clock_ms
from pipeline.local.ports import free_ports
from pipeline.serve.signin.oidc.configuration import oidc_configuration
from pipeline.settings import Settings
from tests.support.axe import axe_source, looked_at
from tests.support.browser import DESKTOP, browser, chromium
from tests.support.console import World, serving
from tests.support.model_records import ModelRecords
from tests.support.openid_provider import CLIENT, SECRET, OpenIdProvider, openid_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    """The provider is localhost and the console 127.0.0.1: to a browser these are two sites."""
    with openid_provider("localhost") as running:
        yield running


@pytest.fixture(scope="module")
def base(provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    (port,) = free_ports(1)
    base = f"http://127.0.0.1:{port}"
    settings = Settings(
        oidc_issuer=provider.issuer, oidc_client_id=CLIENT, oidc_client_secret=SecretStr(SECRET),
        oidc_roles="it=admin", serve_public_url=base, oidc_label="Shop account",
    )  # fmt: skip
    records = ModelRecords(seed=6, people=20, events=200)
    folder, oidc = tmp_path_factory.mktemp("console"), oidc_configuration(settings)
    with World(folder, records, wall_clock_ms, oidc=oidc) as world, serving(world.app, port):
        yield base


def test_a_person_signs_in_at_the_provider_and_out_again(base: str, provider: OpenIdProvider) -> None:
    path, axe = chromium(), axe_source()
    if path is None or axe is None:
        pytest.skip("there is no Chromium or no axe-core: sign-in by OIDC in a browser is NOT TESTED")

    async def scenario() -> None:
        async with browser(path) as page:
            await page.size(*DESKTOP)
            await page.open(f"{base}/leads?kind=lead")
            await page.until("location.pathname === '/sign-in'")
            await looked_at(page, axe, "sign-in")
            await page.run("document.querySelector('a.primary').click()")
            await page.until(
                "location.pathname + location.search === '/leads?kind=lead' && document.querySelector('.who')"
            )
            assert "ann@idp.example" in await page.run("document.querySelector('.who').textContent")
            await page.open(f"{base}/users")
            await looked_at(page, axe, "users")
            await page.run("document.querySelector('.who form').requestSubmit()")
            await page.until("document.readyState === 'complete' && document.body.textContent.includes('Signed out')")
            await looked_at(page, axe, "signed-out")
            assert page.complaints == []
            assert page.hosts == {base.removeprefix("http://"), provider.issuer.removeprefix("http://")}
            provider.person["groups"] = []
            await page.open(f"{base}/sign-in/oidc")
            await page.until(
                "document.readyState === 'complete' && document.body.textContent.includes('you have no role here')"
            )

    asyncio.run(scenario())
