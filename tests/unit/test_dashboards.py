"""Dashboards and alerts ask only for series that exist, by labels they have, in a way their kind allows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.obs import metrics as m

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
PROMETHEUS = ROOT / "deploy/prometheus/prometheus.yml"
DATA_SOURCE = ROOT / "deploy/docker/grafana-datasource.yml"
SCHEMA_VERSION = 41
"""The dashboard schema of Grafana 12.1, which docker-compose.yml runs."""
PANEL_TYPES = {"row", "stat", "timeseries", "table"}
BUILT_IN_VARIABLES = {"__rate_interval"}

SCRAPED = {"instance", "job", "le"}
"""Labels that Prometheus adds."""
WORDS = {"by", "without", "and", "or", "unless", "on", "ignoring", "group_left", "group_right", "bool", "offset"}
RATES = r"(?:rate|increase|irate|changes)\(\s*([a-z_]+)"


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_queries(path: Path) -> Iterator[tuple[str, str]]:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield f"{path.name}: {panel['title']}", target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
            yield f"{path.name}: ${variable['name']}", f"sum by ({label}) ({name})"
    for annotation in dashboard["annotations"]["list"]:
        yield f"{path.name}: {annotation['name']}", annotation["expr"]


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


QUERIES = [
    *[query for path in DASHBOARDS for query in dashboard_queries(path)],
    *[(f"{ALERTS.name}: {rule['alert']}", rule["expr"]) for rule in alerts()],
]
each_query = pytest.mark.parametrize("query", [expr for _, expr in QUERIES], ids=[name for name, _ in QUERIES])


def series_of(query: str) -> set[str]:
    """The series a PromQL expression names: words that are no function, no keyword, no label and no duration."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", query)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    words = re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)\b(?!\s*\()", bare)
    return {word for word in words if word not in WORDS}


def labels_of(query: str) -> set[str]:
    """The labels it selects or groups by."""
    selected = {label for block in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r"(\w+)\s*[=!]", block)}
    grouped = {
        label.strip()
        for block in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", query)
        for label in block.split(",")
    }
    return selected | grouped


def definition_of(series: str) -> m.Definition | None:
    names = {definition.name: definition for definition in m.DEFINITIONS}
    return names.get(series) or names.get(re.sub(r"_(bucket|sum|count)$", "", series))


@each_query
def test_a_query_names_only_registered_series(query: str) -> None:
    series = series_of(query)
    assert series
    assert series <= m.series_names() | {"up"}


@each_query
def test_a_query_uses_only_labels_that_its_series_have(query: str) -> None:
    known = set(SCRAPED)
    for series in series_of(query):
        definition = definition_of(series)
        known |= set(definition.labels) if definition else set()
    assert labels_of(query) <= known


@each_query
def test_rates_are_taken_of_counters_and_of_nothing_else(query: str) -> None:
    rated = set(re.findall(RATES, query))
    for series in series_of(query) - {"up"}:
        definition = definition_of(series)
        counts = isinstance(definition, m.Counter | m.Histogram) or series.endswith("_total")
        assert (series in rated) == counts


def test_a_misspelt_series_or_label_would_be_found() -> None:
    query = 'sum by (stage, le) (rate(stitchline_batch_secs_bucket{topc="x"}[5m])) > 3 and up == 1 offset 1h'
    assert series_of(query) == {"stitchline_batch_secs_bucket", "up"}
    assert labels_of(query) == {"stage", "le", "topc"}


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {definition_of(series) for _, query in QUERIES for series in series_of(query)}
    assert [definition.name for definition in m.DEFINITIONS if definition not in shown] == []


def test_grafana_loads_the_dashboards_beside_each_other() -> None:
    dashboards = [json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS]
    assert dashboards
    for dashboard in dashboards:
        assert dashboard["schemaVersion"] == SCHEMA_VERSION
        assert "id" not in dashboard  # a database's own number
        assert re.fullmatch(r"[a-z-]{1,40}", dashboard["uid"])
        assert {panel["type"] for panel in panels(dashboard)} <= PANEL_TYPES
    for name in ("uid", "title"):
        assert len({dashboard[name] for dashboard in dashboards}) == len(dashboards)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_every_query_goes_to_the_provisioned_data_source_and_uses_declared_variables(path: Path) -> None:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    (provisioned,) = yaml.safe_load(DATA_SOURCE.read_text(encoding="utf-8"))["datasources"]
    assert provisioned["isDefault"]  # the one that a variable without a value takes
    assert (variables["source"]["type"], variables["source"]["query"]) == ("datasource", provisioned["type"])
    wanted = {"type": provisioned["type"], "uid": "${source}"}
    for panel in panels(dashboard):
        targets = panel.get("targets", [])
        assert bool(targets) == (panel["type"] != "row")
        assert len({target["refId"] for target in targets}) == len(targets)
        assert all(part["datasource"] == wanted for part in (targets and [panel, *targets]))
        used = {name for target in targets for name in re.findall(r"\$\{?(\w+)", target["expr"])}
        assert used <= variables.keys() | BUILT_IN_VARIABLES
    others = [*dashboard["annotations"]["list"], *(one for one in variables.values() if one["type"] == "query")]
    assert all(other["datasource"] == wanted for other in others)


def test_grafana_knows_how_often_prometheus_scrapes() -> None:
    (provisioned,) = yaml.safe_load(DATA_SOURCE.read_text(encoding="utf-8"))["datasources"]
    scraping = yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))["global"]["scrape_interval"]
    assert provisioned["jsonData"]["timeInterval"] == scraping  # the floor of $__rate_interval is four times this


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_have_their_own_ids_and_do_not_overlap(path: Path) -> None:
    result = list(panels(json.loads(path.read_text(encoding="utf-8"))))
    assert len({panel["id"] for panel in result}) == len(result)
    taken: set[tuple[int, int]] = set()
    for panel in result:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_and_an_action(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "action", "runbook"}
    used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert used <= labels_of(rule["expr"]) | SCRAPED


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"Stitchline[A-Z][A-Za-z]+", name) for name in names)
