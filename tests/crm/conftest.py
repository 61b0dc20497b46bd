"""Servers that only the CRM tests use, and the worlds of the suites that run on every CRM."""

from collections.abc import Iterator

import pytest

from tests.crm.bottlecrm.programs import VERSION, MissingProgramError
from tests.crm.bottlecrm.server import BottleCrm, Installed, installed
from tests.crm.emulators import EMULATORS, KINDS
from tests.crm.world import World


@pytest.fixture(scope="session")
def bottlecrm_installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """BottleCRM, ready to start; skips with what the machine lacks."""
    try:
        with installed(tmp_path_factory.mktemp("bottlecrm")) as ready:
            yield ready
    except MissingProgramError as error:
        pytest.skip(f"BottleCRM {VERSION} cannot run here: {error}. NOT TESTED")


@pytest.fixture(scope="module")
def bottlecrm(bottlecrm_installed: Installed) -> Iterator[BottleCrm]:
    """A BottleCRM of this file's own, with an empty organisation at the start."""
    with bottlecrm_installed.running() as crm:
        yield crm


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def world(kind) -> World:
    return World(kind)


@pytest.fixture(params=[kind for kind, crm in EMULATORS.items() if crm.adopts])
def adopting(request) -> World:
    """A world whose CRM names the object that has the e-mail address of a new one; Dynamics never does."""
    return World(request.param)


@pytest.fixture(params=[kind for kind, crm in EMULATORS.items() if crm.converts])
def converting(request) -> World:
    """A world whose CRM turns leads into contacts; HubSpot's leads are contacts from the start."""
    return World(request.param)
