"""A metric that nothing sets is a lie on a dashboard: every one of the list is emitted somewhere."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pipeline.obs import metrics as m

ROOT = Path(__file__).parents[3]
LIST = ROOT / "pipeline/obs/metrics.py"
WAYS = {"add": m.Counter, "set": m.Gauge, "observe": m.Histogram, "observe_all": m.Histogram}


def emissions() -> Iterator[tuple[str, str, int]]:
    """Every ``metrics.add(NAME, amount, label…)`` of the product: the way, the name, how many labels it gives."""
    for path in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "connectors").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8")) if path != LIST else ast.Module([], [])
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=way), args=[ast.Attribute(attr=name) | ast.Name(id=name), _, *labels]
                ) if way in WAYS and isinstance(getattr(m, name, None), m.Definition):
                    starred = any(isinstance(label, ast.Starred) for label in labels)
                    yield way, name, -1 if starred else len(labels)


def test_every_metric_is_emitted():
    names = {name for name, var in vars(m).items() if isinstance(var, m.Definition)}
    assert names - {name for _, name, _ in emissions()} == set()


def test_counters_are_added_to_gauges_set_and_histograms_observed_with_their_labels():
    for way, name, labels in emissions():
        definition = getattr(m, name)
        assert isinstance(definition, WAYS[way]), name
        assert labels in {len(definition.labels), -1}, name
