"""The API answers what the topics say: compared with the records themselves, on both databases."""

import msgspec
import pytest

from tests.support.model_oracle import expected
from tests.support.model_records import ModelRecords
from tests.unit.serve.conftest import PREFIX, Caller


@pytest.fixture(scope="module")
def known(records: ModelRecords):
    return expected([record for place in sorted(records.by_place) for record in records.by_place[place]], PREFIX)


def actives(known):
    return {key: update for key, update in known["profiles"].items() if update["status"] == "active"}


def test_a_profile_is_its_newest_update_by_id_and_by_each_of_its_identifiers(reader: Caller, known):
    for profile_id, update in list(actives(known).items())[:10]:
        for ref in (profile_id, *update["identifiers"]):
            answer = reader.get(f"/v1/profiles/{ref}")
            assert answer.status_code == 200, ref
            assert answer.json() == update


def test_a_merged_id_answers_with_the_survivor_and_says_so(reader: Caller, known):
    merged = [update for update in known["profiles"].values() if update["status"] == "merged"]
    assert len(merged) > 5
    for update in merged:
        answer = reader.get(f"/v1/profiles/{update['profile_id']}")
        body = answer.json()
        assert body["status"] == "active"
        assert body["requested_id"] == update["profile_id"]
        assert answer.headers["content-location"] == f"/v1/profiles/{body['profile_id']}"


def test_a_batch_answers_in_order_with_selected_fields(reader: Caller, known):
    first, second = sorted(actives(known))[:2]
    ids = [second, "email:no@body.example", "nonsense", first]

    answer = reader.post("/v1/profiles/lookup", json={"ids": ids, "fields": ["grade", "scores"]})

    assert answer.status_code == 200, answer.text
    found = answer.json()["profiles"]
    assert [item["requested"] for item in found] == ids
    assert [item["problem"] for item in found] == ["", "not-found", "not-an-identifier", ""]
    one = known["profiles"][second]
    assert found[0]["profile"] == {"profile_id": second, "grade": one["grade"], "scores": one["scores"]}


def test_a_batch_of_more_than_100_is_refused(reader: Caller):
    answer = reader.post("/v1/profiles/lookup", json={"ids": ["user_id:a"] * 101})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unchanged_profile_is_not_sent_again(reader: Caller, known):
    ref = f"/v1/profiles/{min(actives(known))}"
    tag = reader.get(ref).headers["etag"]

    again = reader.get(ref, headers={"if-none-match": tag})

    assert again.status_code == 304
    assert again.content == b""


def test_the_pages_of_a_timeline_are_the_whole_timeline(reader: Caller, known):
    profile_id = max(actives(known).values(), key=lambda update: update["aggregates"]["events"]["lifetime"])[
        "profile_id"
    ]
    whole = reader.json(f"/v1/profiles/{profile_id}/timeline", limit=500)
    assert whole["next"] == ""
    paged, cursor = [], ""
    while True:
        page = reader.json(f"/v1/profiles/{profile_id}/timeline", limit=7, cursor=cursor)
        paged += page["entries"]
        cursor = page["next"]
        if not cursor:
            break
    assert paged == whole["entries"]
    assert len(paged) > 14
    times = [entry["timestamp_ms"] for entry in paged]
    assert times == sorted(times, reverse=True)


def test_contributions_sum_to_the_score(reader: Caller, known):
    profile_id = max(actives(known).values(), key=lambda update: max(update["scores"].values()))["profile_id"]

    scores = reader.json(f"/v1/profiles/{profile_id}/scores")["scores"]

    assert scores[0]["value"] > 0
    for score in scores:
        assert sum(part["points"] for part in score["contributions"]) == pytest.approx(score["value"], abs=1e-9)


def test_members_of_segments_are_those_of_the_updates_page_by_page_and_exported(reader: Caller, known):
    segments = reader.json("/v1/segments")["segments"]
    assert any(segment["members"] for segment in segments)
    for segment in segments:
        wanted = sorted(profile_id for name, profile_id in known["members"] if name == segment["name"])
        assert segment["members"] == len(wanted)
        found, cursor = [], ""
        while True:
            page = reader.json(f"/v1/segments/{segment['name']}/members", limit=3, cursor=cursor)
            found += [member["profile_id"] for member in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
        assert found == wanted
        lines = reader.get(f"/v1/segments/{segment['name']}/export").text.splitlines()
        assert [msgspec.json.decode(line)["profile_id"] for line in lines] == wanted
    reader.json("/v1/segments/none/members", status=404)


def test_a_condition_is_counted_and_a_mistake_is_shown_at_its_place(reader: Caller, known):
    condition = "orders over 30 d >= 0"
    counted = reader.post("/v1/segments/preview", json={"when": condition}).json()["preview"]
    assert counted["exact"]
    assert counted["profiles"] == counted["members"] == len(actives(known))

    mistake = reader.post("/v1/segments/preview", json={"when": "orders ovr 30 d >= 0"}).json()["mistake"]

    assert mistake["position"] == len("orders ")
    assert mistake["message"]


def test_leads_come_newest_first_with_owner_and_reason(reader: Caller, known):
    pages, cursor = [], ""
    while True:
        page = reader.json("/v1/leads", limit=2, cursor=cursor)
        pages += page["items"]
        cursor = page["next"]
        if not cursor:
            break
    assert sorted(lead["action_id"] for lead in pages) == sorted(known["leads"])
    times = [lead["timestamp_ms"] for lead in pages]
    assert times == sorted(times, reverse=True)
    for lead in pages:
        wanted = known["leads"][lead["action_id"]]
        assert {name: lead[name] for name in wanted} == wanted
    one = reader.json(f"/v1/leads/{pages[0]['action_id']}")
    assert [revision["revision"] for revision in one["revisions"]] == sorted(
        revision for action_id, revision in known["actions"] if action_id == pages[0]["action_id"]
    )


def test_search_finds_people_by_address_number_and_beginnings_of_names(reader: Caller, known):
    for update in list(actives(known).values())[:40]:
        for ident in update["identifiers"]:
            kind, _, value = ident.partition(":")
            if kind in {"email", "phone"}:
                found = reader.json("/v1/search", q=value[: max(4, len(value) - 2)], limit=100)["profiles"]
                assert update["profile_id"] in [item["profile_id"] for item in found], value
        name = f"{update['traits'].get('firstName', '')} {update['traits'].get('lastName', '')}".strip()
        if name:
            words = " ".join(word[:3].upper() for word in name.split())
            found = reader.json("/v1/search", q=words, limit=100)["profiles"]
            assert update["profile_id"] in [item["profile_id"] for item in found], name


def test_identity_links_why_and_graph_agree(reader: Caller, known):
    update = max(actives(known).values(), key=lambda update: len(update["identifiers"]))
    profile_id, (a, *_, b) = update["profile_id"], update["identifiers"]

    links = reader.json(f"/v1/profiles/{profile_id}/identity")
    why = reader.json("/v1/identity/why", a=a, b=b)
    graph = reader.json(f"/v1/profiles/{profile_id}/graph")
    picture = reader.get(f"/v1/profiles/{profile_id}/graph", params={"format": "svg"})

    assert links["identifiers"] == update["identifiers"]
    assert why["together"]
    assert why["profile_ids"] == [profile_id] * 2
    ends = {frozenset((link["strong"], link["weak"])) for link in links["links"]}
    assert ends == {frozenset((link["start"], link["end"])) for link in graph["links"] if not link["rejected"]}
    assert all(frozenset((step["start"], step["end"])) in ends for step in why["path"])
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert a in picture.text


def test_an_unlinked_pair_is_two_customers_and_says_why(reader: Caller, known):
    late = reader.json("/v1/profiles/user_id:late/identity")
    [rejected] = [link for link in late["rejected"] if link["rejected"] == "unlinked"]
    other = ({rejected["strong"], rejected["weak"]} - {"user_id:late"}).pop()

    why = reader.json("/v1/identity/why", a="user_id:late", b=other)

    assert not why["together"]
    assert len(set(why["profile_ids"])) == 2
    assert [step["rejected"] for step in why["obstacles"]] == ["unlinked"]


def test_identity_changes_are_paged_in_the_order_of_decisions(reader: Caller, known):
    found, cursor = [], ""
    while True:
        page = reader.json("/v1/identity/changes", limit=13, cursor=cursor)
        found += page["items"]
        cursor = page["next"]
        if not cursor:
            break
    assert [change["seq"] for change in found] == sorted((c["seq"] for c in known["changes"].values()), reverse=True)


def test_the_overview_counts_customers_merges_and_leads(reader: Caller, known):
    totals = reader.json("/v1/overview")["totals"]

    assert totals["customers"] == len(actives(known))
    assert totals["merges"] == sum(change["change"] == "merged" for change in known["changes"].values())
    assert totals["leads"] + totals["duplicates"] == len(known["leads"])


def test_the_attribution_report_covers_all_profiles(reader: Caller, known):
    report = reader.json("/v1/attribution", model="first", by="channel")

    assert report["profiles"] == len(actives(known))
    assert sum(line["conversions"] for line in report["lines"]) == pytest.approx(report["conversions"])
    reader.json("/v1/attribution", model="nonsense", status=422)


def test_a_text_that_is_no_cursor_of_the_list_is_refused(reader: Caller, known):
    timeline = f"profiles/{min(actives(known))}/timeline"
    for path in ("leads", "accounts", "households", "quarantine", "identity/changes", timeline):
        answer = reader.json(f"/v1/{path}", cursor="x", status=422)
        assert answer["type"] == "urn:stitchline:problem:not-a-cursor", path
