"""Every operation of the API's description, with generated valid and invalid requests: all checks of schemathesis.

``STITCHLINE_SEEDS`` is the number of requests of each kind for each operation (default 6). Streams of changes never
end; they have tests of their own.
"""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from pipeline.serve.api.app import api_app
from pipeline.serve.api.services import Services
from tests.unit.serve.conftest import Caller

REQUESTS = int(os.environ.get("STITCHLINE_SEEDS", "6"))
CONFIG = {
    # Zero bytes are refused everywhere; see test_api.py.
    "generation": {"allow-x00": False},
    # 422: the form is right, but a value in it means nothing, such as an identifier of a type that no rule declares.
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 304, 401, 403, 404, 422]}},
    # No broker answers here. What needs one says so, and nothing else may.
    "operations": [
        {
            "include-path-regex": "^/v1/privacy/",
            "checks": {
                "not_a_server_error": {"expected-statuses": ["2xx", "4xx", 503]},
                "positive_data_acceptance": {"expected-statuses": [401, 403, 404, 422, 503]},
            },
        }
    ],
}


@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
def test_every_operation_answers_as_described(services: Services):
    caller = Caller(services, "read", "read:pii", "write")
    described = schemathesis.openapi.from_asgi(
        "/v1/openapi.json", api_app(services), config=SchemathesisConfig.from_dict(CONFIG)
    ).exclude(path="/v1/changes/stream")
    operations = [result.ok() for result in described.get_all_operations()]
    assert len(operations) > 20
    headers, failures = {"Authorization": f"Bearer {caller.secret}"}, list[str]()
    for operation in operations:
        takes_input = any(True for _ in operation.iter_parameters()) or operation.body
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if takes_input else (GenerationMode.POSITIVE,):
            try:
                _try(operation, mode, headers)
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  every operation is tried before the test fails
                failures.append(f"{operation.label}, {mode.value}: {error}")
    assert not failures, "\n\n".join(failures)


def _try(operation: Any, mode: GenerationMode, headers: dict[str, str]) -> None:
    @settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Any) -> None:
        case.call_and_validate(headers=headers)

    each()
