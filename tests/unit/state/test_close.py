"""Closing a store: the next owner in the same process opens the folder at once."""

from pathlib import Path

from pipeline.state.store import Change, RocksEngine, RocksOptions


def test_a_closed_store_can_be_reopened_while_a_reference_to_it_remains(tmp_path: Path) -> None:
    engine = RocksEngine(RocksOptions(block_cache_bytes=1 << 20))
    first = engine.open(tmp_path / "rows", ["rows"])
    first.apply([Change("rows", b"key", b"value")], 3)
    reader = first.family("rows").get

    first.close()
    second = engine.open(tmp_path / "rows", ["rows"])

    assert second.get("rows", b"key") == b"value"
    assert second.position() == 3
    second.close()
    assert callable(reader)
