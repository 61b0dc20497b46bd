"""Every alert leads to a runbook, and every runbook speaks of things that exist."""

import re
from pathlib import Path

import pytest
import yaml

from pipeline.event.reason import Reason
from pipeline.obs import metrics
from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/runbooks"
INDEX = FOLDER / "README.md"
RUNBOOKS = sorted(set(FOLDER.glob("*.md")) - {INDEX})
GROUPS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))["groups"]
RUNBOOK_OF = {rule["alert"]: rule["annotations"].get("runbook", "") for group in GROUPS for rule in group["rules"]}
each = pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)


def test_every_alert_names_a_runbook_that_exists() -> None:
    assert {alert: path for alert, path in RUNBOOK_OF.items() if not (ROOT / path).is_file()} == {}


def test_the_index_lists_every_runbook_with_the_alerts_that_lead_to_it() -> None:
    listed = dict(
        re.findall(r"^\| \[[^]]+\]\(([\w-]+\.md)\) \| (.+) \|$", INDEX.read_text(encoding="utf-8"), re.MULTILINE)
    )
    wanted: dict[str, set[str]] = {path.name: set() for path in RUNBOOKS}
    for alert, path in RUNBOOK_OF.items():
        wanted[Path(path).name].add(alert)
    assert {name: set(re.findall(r"Stitchline\w+", alerts)) for name, alerts in listed.items()} == wanted


@each
def test_a_runbook_has_actions_and_the_consequences_for_data(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.stem != "erasing-state":
        assert "**You see**" in text
        assert "**For data**" in text
        assert "\n## Over when\n" in text


@each
def test_the_metrics_and_settings_a_runbook_names_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"\bstitchline_[a-z_]+", text)) <= metrics.series_names()
    known = {f"STITCHLINE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bSTITCHLINE_[A-Z_]*[A-Z]", text)) <= known


def test_the_quarantine_runbook_explains_every_reason_of_the_dlq() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", (FOLDER / "dlq-grows.md").read_text(encoding="utf-8"), re.MULTILINE))
    reasons = list(Reason)
    assert explained == set(reasons[: reasons.index(Reason.DUPLICATE)])


@pytest.mark.parametrize(
    "path", [*RUNBOOKS, INDEX, *sorted((ROOT / "deploy/adr").glob("*.md"))], ids=lambda path: path.stem
)
def test_links_between_documents_hold(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []
