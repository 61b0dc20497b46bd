"""``crm.yaml``: invalid connections are rejected with position, message and advice."""

from pathlib import Path

import pytest

from pipeline.rules.load import check_rules

CONNECTION = "connections:\n  - name: a\n    kind: hubspot\n    secret: env:KEY\n"
BOTTLE = "  - name: b\n    kind: bottlecrm\n    url: https://b\n    secret: env:B\n"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("    triggers: [hot_leed]\n", "connection 'a' delivers trigger 'hot_leed', which is not declared"),
        ("    secret2: x\n", "secret2"),
        ("    fields: [{to: email, value: contact}]\n", "value 'contact' is not a value of an action"),
        ("    fields: [{to: email, value: scoer}]\n", "value 'scoer' is not a value of an action"),
        ("    fields: [{to: stitchline_score, value: score}]\n", "is written by itself; leave it out"),
        ("    fields: [{to: a, value: score}, {to: a, value: grade}]\n", "field 'a' is there twice"),
        ("    url: http://api.example\n", "url 'http://api.example' is not https"),
        ("  - name: a\n    kind: hubspot\n    secret: env:KEY\n", "'a' is there twice"),
        ("  - name: b\n    kind: hubspot\n    secret: pat-na1-1234\n", "is not env:VARIABLE or file:/path"),
        ("  - name: b\n    kind: hubspot\n    secret: env:STITCHLINE_KEY\n", "is not env:VARIABLE or file:/path"),
        (
            "    sync: {fields: [{to: a, value: segment.big_spender}]}\n",
            "field 'a' follows segment.big_spender, which is not declared; did you mean segment.big_spenders?",
        ),
        (
            "    sync: {fields: [{to: a, value: segments, segments: [big_spender]}]}\n",
            "field 'a' lists segment 'big_spender', which is not declared; did you mean big_spenders?",
        ),
        ("    sync: {fields: [{to: a, value: score.engagment}]}\n", "did you mean score.engagement?"),
        ("    sync: {fields: [{to: a, value: predictions.churn}]}\n", "did you mean predictions.churn_risk?"),
        ("    sync: {fields: [{to: a, value: plan}]}\n", "value 'plan' is no value of a profile; write for example"),
        ("    sync: {fields: [{to: a, value: segments}]}\n", "write value: segments with a list"),
        ("    sync: {fields: [{to: stitchline_score, value: grade}]}\n", "choose another name, such as"),
        ("    sync: {fields: [{to: a, value: grade}, {to: a, value: trait.a}]}\n", "field 'a' is there twice"),
        (
            "    back: {traits: [{field: a, trait: city}]}\n    sync: {fields: [{to: b, value: trait.City}]}\n",
            "field 'b' follows trait.City, which no other rule names; did you mean trait.city?",
        ),
        ("    sync: {consent: marketting}\n", "purpose 'marketting' is in no other rule; did you mean marketing?"),
        ("    sync: {consent: Marketing/email}\n", "did you mean marketing?"),
        ("    sync: {consent_required: true}\n", "sync has consent_required without consent"),
        (
            "    fields: [{to: a, value: score}]\n    sync: {fields: [{to: a, value: grade}]}\n",
            "field 'a' is in fields and in sync",
        ),
        (
            "    back: {journal: {portal: 4711}}\n",
            "journal lacks client_id, secret: HubSpot's journal is read with an app's",
        ),
        (
            "    back: {journal: {portal: 4711, client_id: a, secret: b}}\n",
            "the secret of the journal of 'a' is not env:VARIABLE or file:/path",
        ),
        (
            BOTTLE + "    back: {journal: {portal: 1, client_id: a, secret: env:A}}\n",
            "'b' has a journal, which only HubSpot has",
        ),
        ("  - name: b\n    kind: salesfarce\n    secret: env:KEY\n", "salesfarce"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, more: str, problem: str) -> None:
    (tmp_path / "crm.yaml").write_text(CONNECTION + more, encoding="utf-8")
    _, problems = check_rules(tmp_path)
    assert [one for one in map(str, problems) if "crm.yaml:" in one and problem in one], problems


@pytest.mark.parametrize(
    "sync",
    [
        "consent: marketing", "consent: marketing/sms", "consent: analytics", "consent: marketing2",
        "fields: [{to: b, value: trait.firstName}]", "fields: [{to: b, value: trait.plan}]",
    ],
)  # fmt: skip
def test_a_name_that_only_events_bring_is_valid(tmp_path: Path, sync: str) -> None:
    back = "    back: {traits: [{field: a, trait: firstName}]}\n"
    (tmp_path / "crm.yaml").write_text(f"{CONNECTION}{back}    sync: {{{sync}}}\n", encoding="utf-8")
    assert check_rules(tmp_path)[1] == []


def test_an_owner_who_is_no_representative_is_named(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text("reps: [{name: ann}]\n", encoding="utf-8")
    (tmp_path / "crm.yaml").write_text(CONNECTION + "    owners: [{rep: anne, id: '1'}]\n", encoding="utf-8")
    _, problems = check_rules(tmp_path)
    assert [text for one in problems if (text := str(one).partition("crm.yaml:")[2])] == [
        "5:15: 'anne' is no representative of routing.yaml; did you mean ann?"
    ]


@pytest.mark.parametrize(("page", "place"), [("crm.md", 1), ("crm-back.md", 2)])
def test_the_example_of_the_documentation_is_valid(tmp_path: Path, page: str, place: int) -> None:
    text = (Path(__file__).parents[3] / "deploy/docs" / page).read_text(encoding="utf-8")
    (tmp_path / "crm.yaml").write_text(text.split("```yaml\n")[place].split("```")[0], encoding="utf-8")
    assert check_rules(tmp_path)[1] == []


def test_the_example_of_the_shipped_file_is_valid(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[3] / "pipeline/rules/default/crm.yaml").read_text(encoding="utf-8")
    lines = [line.removeprefix("# ") for line in shipped.splitlines() if line.startswith("# ") or line == "#"]
    (tmp_path / "crm.yaml").write_text("\n".join(lines[lines.index("connections:") :]), encoding="utf-8")
    assert check_rules(tmp_path)[1] == []
