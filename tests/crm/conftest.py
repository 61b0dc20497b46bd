"""The worlds of the suites that run on every CRM."""

import pytest

from tests.crm.emulators import EMULATORS, KINDS
from tests.crm.world import World


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
