"""The bound of cached rows holds for a worker, whatever the number of partitions."""

import msgspec
import pytest

from pipeline.obs.metrics import Metrics
from pipeline.settings import Settings
from pipeline.stream.dlq import LossBreaker
from pipeline.stream.stages.base import MIN_CACHED_ROWS, Context

CONTEXT = Context(Settings(cached_rows=8_000), None, None, None, None, None, LossBreaker(1.0, 100), Metrics())  # type: ignore[arg-type]


@pytest.mark.parametrize("partitions", [1, 8, 64])
def test_the_partitions_share_the_bound(partitions):
    context = msgspec.structs.replace(CONTEXT, partitions=partitions)
    assert context.cached_rows * partitions == 8_000


def test_a_partition_of_very_many_still_caches_some_rows():
    assert msgspec.structs.replace(CONTEXT, partitions=4_096).cached_rows == MIN_CACHED_ROWS
