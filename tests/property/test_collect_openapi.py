"""The plain endpoint keeps its OpenAPI description, whatever schemathesis sends to a real server.

``STITCHLINE_SEEDS`` is the number of requests that are generated in each phase (default 25).
"""

import os
import threading
from collections.abc import Iterator

import pytest
import schemathesis
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from connectors.collect.connections import ConnectionLimits
from connectors.collect.openapi import OPENAPI
from connectors.collect.server import CollectServer, Listening
from pipeline.obs.metrics import Metrics
from tests.support.collecting import KEY, Door, shop
from tests.support.waiting import deadline_seconds

ENDPOINT = schemathesis.openapi.from_dict(OPENAPI)["/v1/events"]["POST"]
REQUESTS = int(os.environ.get("STITCHLINE_SEEDS", "25"))
# A bad event is quarantined and costs itself only: the answer is 200 with its reason, as SDKs drop a batch on 400.
BY_DESIGN = [negative_data_rejection]


@pytest.fixture(scope="module")
def door() -> Door:
    return Door(shop(dialects=["json"]))


@pytest.fixture(scope="module")
def url(door: Door) -> Iterator[str]:
    """The address of a server that is to keep the description."""
    server = CollectServer(door.app, Listening(host="127.0.0.1", port=0), Metrics(), ConnectionLimits())
    listens = threading.Event()
    thread = threading.Thread(target=lambda: uvloop.run(server.run(listens.set)))
    thread.start()
    assert listens.wait(deadline_seconds())
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    thread.join(deadline_seconds())


@pytest.mark.parametrize("mode", list(GenerationMode))
@settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_as_described(mode: GenerationMode, door: Door, url: str, data: st.DataObject) -> None:
    case = data.draw(ENDPOINT.as_strategy(generation_mode=mode))
    before = len(door.kept.records)
    response = case.call(url, headers={"Authorization": f"Bearer {KEY}"})
    case.validate_response(response, excluded_checks=BY_DESIGN, headers={"Authorization": f"Bearer {KEY}"})
    if response.status_code == 200:
        answer = response.json()
        assert len(door.kept.records) - before == answer["accepted"] + len(answer["rejected"])
    else:
        assert len(door.kept.records) == before
