"""Our partitioner is Kafka's: known hashes of its own tests, and the partitions that librdkafka chooses."""

import pytest

from pipeline.kafka.partitioner import murmur2, partition_of

KAFKAS_OWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""As Java prints them, signed."""


@pytest.mark.parametrize("key", KAFKAS_OWN)
def test_the_hash_is_the_one_of_the_java_client(key):
    assert murmur2(key) == KAFKAS_OWN[key] & 0xFFFFFFFF


@pytest.mark.parametrize("partitions", [1, 2, 7, 8, 4096])
def test_a_key_has_one_partition_and_it_exists(partitions):
    chosen = {partition_of(f"default/user_id:{number}", partitions) for number in range(20 * partitions)}
    assert chosen <= set(range(partitions))
    assert len(chosen) > partitions * 0.9
