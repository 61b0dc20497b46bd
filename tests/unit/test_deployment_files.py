"""The compose file and what it mounts hold together, and show nothing to the network."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from pipeline.local.lockfile import HERE, read_lock
from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_stack_is_the_one_that_runs_without_containers() -> None:
    assert SERVICES["kafka"]["image"].rpartition(":")[2] == read_lock(HERE / "kafka.lock")[0].version
    assert SERVICES["registry"]["image"].rpartition(":")[2] == read_lock(HERE / "registry.lock")[0].version
    assert {"worker", "prometheus", "grafana"} <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_published_on_this_machine_only(name: str) -> None:
    service = SERVICES[name]
    assert "build" in service or re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_refers_to_is_there(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("depends_on", ())) <= set(SERVICES)
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists()
        else:
            assert source.startswith("/") or source in COMPOSE["volumes"]
    if "build" in service:
        assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_every_variable_of_the_worker_is_a_setting_and_every_address_a_service() -> None:
    environment = SERVICES["worker"]["environment"]
    names = {name.removeprefix("STITCHLINE_").lower() for name in environment}
    assert names <= set(Settings.model_fields)
    assert environment["STITCHLINE_BOOTSTRAP_SERVERS"].partition(":")[0] in SERVICES
    assert urlsplit(environment["STITCHLINE_SCHEMA_REGISTRY_URL"]).hostname in SERVICES


def test_no_password_is_written_down() -> None:
    given = {key: value for service in SERVICES.values() for key, value in service.get("environment", {}).items()}
    secrets = [value for key, value in given.items() if re.search("PASSWORD|SECRET|TOKEN", key)]
    assert secrets
    assert all(value.startswith("${") and ":?" in value for value in secrets)


def test_prometheus_scrapes_the_port_of_the_worker_and_grafana_queries_prometheus() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    result = prometheus["scrape_configs"][0]["dns_sd_configs"][0]
    assert result["names"] == ["worker"]
    assert result["port"] == SERVICES["worker"]["environment"]["STITCHLINE_HTTP_PORT"]
    grafana = yaml.safe_load((ROOT / "deploy/docker/grafana-datasource.yml").read_text())
    assert [source["url"] for source in grafana["datasources"]] == ["http://prometheus:9090"]


def test_prometheus_loads_the_alerts_and_grafana_finds_the_dashboards() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert prometheus["rule_files"] == ["alerts.yml"]
    assert "./deploy/prometheus:/etc/prometheus:ro" in SERVICES["prometheus"]["volumes"]
    (provider,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/stitchline.yml").read_text())[
        "providers"
    ]
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES["grafana"]["volumes"]}
    assert mounted[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert mounted["/etc/grafana/provisioning/dashboards"] == "./deploy/grafana/provisioning/dashboards"


def test_the_image_runs_as_an_unprivileged_user() -> None:
    lines = (ROOT / "deploy/docker/Dockerfile").read_text().splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users
    assert all(line.split()[1] not in {"root", "0"} for line in users)
