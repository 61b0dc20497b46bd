"""Servers that only the CRM tests use."""

from collections.abc import Iterator

import pytest

from tests.crm.bottlecrm.programs import VERSION, MissingProgramError
from tests.crm.bottlecrm.server import BottleCrm, Installed, installed


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
