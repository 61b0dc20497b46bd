"""``sources.yaml``: what it may hold, how it is edited, and that a running collector follows it."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from connectors.collect.caps import CapsFile
from connectors.collect.source_edit import SourceText, UneditableError, with_key, with_source
from connectors.collect.source_file import WatchedSources
from connectors.collect.sources import live_sources
from connectors.collect.violation_file import ViolationFile
from connectors.collect.write_keys import hash_of
from pipeline.cli import app
from pipeline.errors import SecretError
from pipeline.rules.load import check_rules, load_rules
from pipeline.rules.problem import RulesError
from pipeline.rules.version import rules_version

HASH = hash_of("wk_a")
SHOP = f"sources:\n  - name: shop # the web shop\n    channel: web\n    write_keys:\n      - {HASH} # first\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: [{name: a}]", "'channel' is missing"),
        ("sources: [{name: a, channel: shop}]", "unknown value 'shop'"),
        ("sources: [{name: A B, channel: web}]", "wrong form"),
        ("sources: [{name: a, channel: web, write_keys: [wk_clear]}]", "must match ^sha256:"),
        ("sources: [{name: a, channel: web, origins: [shop.example]}]", "no origin"),
        ("sources: [{name: a, channel: web, origins: ['https://shop.example/']}]", "without a path"),
        ("sources: [{name: a, channel: web, drop: [password]}]", "no field"),
        ("sources: [{name: a, channel: web, hash: [traits.email]}]", "hash needs a key"),
        ("sources: [{name: a, channel: web, rate: -1}]", "at least 0"),
        ("sources: [{name: a, channel: web, webhooks: [{vendor: stripe, secret_files: []}]}]", "secret_files is empty"),
        ("sources: [{name: a, channel: web, webhooks: [{vendor: strip, secret_files: [x]}]}]", "did you mean stripe"),
        ("sources: [{name: a, channel: web}, {name: a, channel: web}]", "there twice"),
        (f"sources: [{{name: a, channel: web, write_keys: [{HASH}]}}, {{name: b, channel: web, write_keys: [{HASH}]}}]",
         "one write key twice"),
    ],
)  # fmt: skip
def test_mistakes_are_reported_with_what_to_write(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(text)
    _, problems = check_rules(tmp_path)
    assert problems
    assert message in str(problems[0])
    assert problems[0].line == 1


def test_sources_do_not_change_the_version_of_the_rules(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(SHOP)
    assert rules_version(load_rules(tmp_path)) == rules_version(load_rules())
    assert load_rules(tmp_path).sources.sources[0].name == "shop"


def test_an_edited_file_keeps_its_comments_and_order() -> None:
    text = with_source(SHOP, SourceText("till", "pos", hash_of("wk_b"), tenant="north"))
    assert text.startswith(SHOP)
    assert text.endswith(
        f"  - name: till\n    tenant: north\n    channel: pos\n    write_keys:\n      - {hash_of('wk_b')}\n"
    )
    rotated = with_key(text, "shop", hash_of("wk_c"), retire=False)
    assert f"    write_keys:\n      - {hash_of('wk_c')}\n      - {HASH} # first\n" in rotated
    retired = with_key(rotated, "shop", hash_of("wk_d"), retire=True)
    assert HASH not in retired
    assert hash_of("wk_c") not in retired
    assert "# the web shop" in retired


@pytest.mark.parametrize(
    "text", ["", "sources: []\n", "sources: [] # none\n", "# a comment", "sources:\n- {name: a, channel: web}\n"]
)
def test_a_source_is_added_to_whatever_is_there(text: str) -> None:
    edited = with_source(text, SourceText("shop", "web", HASH, ("https://shop.example",)))
    assert "name: shop" in edited
    assert edited.count("sources:") == 1


def test_lists_in_brackets_are_left_to_their_author() -> None:
    with pytest.raises(UneditableError, match="brackets"):
        with_source("sources: [{name: a, channel: web}]\n", SourceText("b", "web", HASH))
    keys = f"sources:\n  - name: shop\n    channel: web\n    write_keys: [{HASH}]\n"
    with pytest.raises(UneditableError, match="brackets"):
        with_key(keys, "shop", hash_of("wk_b"), retire=True)


def test_unknown_and_known_names_and_broken_files_are_refused() -> None:
    with pytest.raises(UneditableError, match="no source other"):
        with_key(SHOP, "other", HASH, retire=False)
    with pytest.raises(UneditableError, match="there already"):
        with_source(SHOP, SourceText("shop", "web", hash_of("wk_b")))
    with pytest.raises(RulesError):
        with_source("sources: 3", SourceText("shop", "web", HASH))


def test_the_commands_make_keys_that_the_file_knows_by_their_hash(tmp_path: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(
            app, ["sources", *arguments, "--rules", str(tmp_path)], env={"STITCHLINE_RULES_DIR": ""}
        )
        assert done.exit_code == code, done.output
        return done.stdout

    key = run("add", "shop", "--channel", "web", "--origin", "https://shop.example").strip()
    other = msgspec.json.decode(run("rotate", "shop", "--json"))["write_key"]
    sources = live_sources(load_rules(tmp_path).sources, tmp_path)
    assert [sources.with_key(one) is not None for one in (key, other, "wk_x")] == [True, True, False]
    assert key not in (tmp_path / "sources.yaml").read_text()
    listed = msgspec.json.decode(run("ls", "--json"))["sources"][0]
    assert (listed["name"], len(listed["write_keys"])) == ("shop", 2)
    run("rotate", "shop", "--retire")
    assert len(load_rules(tmp_path).sources.sources[0].write_keys) == 1
    assert "shop · web" in run("ls")
    run("add", "shop", "--channel", "web", code=2)
    run("add", "till", "--channel", "shop", code=1)


def watched(tmp_path: Path) -> WatchedSources:
    (tmp_path / "sources.yaml").write_text(SHOP)
    return WatchedSources(
        tmp_path, CapsFile(tmp_path / "home" / "caps.json"), ViolationFile(tmp_path / "home" / "violations.json")
    )


def rewrite(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text(text)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))


def test_a_revoked_key_is_refused_without_a_restart_and_counters_go_on(tmp_path: Path) -> None:
    sources = watched(tmp_path)
    shop = sources.current.named("shop")
    assert shop is not None
    shop.cap.wait_seconds(86_400_000 * 3)
    shop.cap.take(7)
    rewrite(tmp_path, with_key(SHOP, "shop", hash_of("wk_b"), retire=True))
    sources.look()
    assert sources.current.with_key("wk_a") is None
    again = sources.current.with_key("wk_b")
    assert again is not None
    assert (again.cap.day, again.cap.taken) == (3, 7)


def test_a_file_with_mistakes_leaves_the_earlier_sources_in_force(tmp_path: Path) -> None:
    sources = watched(tmp_path)
    (tmp_path / "intake.yaml").write_text("")
    rewrite(tmp_path, "sources: [")
    sources.look()
    assert sources.current.with_key("wk_a") is not None
    (tmp_path / "sources.yaml").unlink()
    sources.look()
    assert sources.current.with_key("wk_a") is None


def test_the_daily_count_outlives_a_restart(tmp_path: Path) -> None:
    first = watched(tmp_path)
    shop = first.current.named("shop")
    assert shop is not None
    shop.cap.wait_seconds(86_400_000 * 3)
    shop.cap.take(7)
    first.save_counts()
    second = watched(tmp_path).current.named("shop")
    assert second is not None
    assert (second.cap.day, second.cap.taken) == (3, 7)
    (tmp_path / "home" / "caps.json").write_text("nonsense")
    assert watched(tmp_path).current.named("shop") is not None


def test_a_secret_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    text = SHOP + "    webhooks:\n      - {vendor: stripe, secret_files: [stripe]}\n"
    (tmp_path / "sources.yaml").write_text(text)
    rules = load_rules(tmp_path).sources
    with pytest.raises(SecretError, match="stripe"):
        live_sources(rules, tmp_path)
    (tmp_path / "stripe").write_text("\n")
    with pytest.raises(SecretError, match="empty"):
        live_sources(rules, tmp_path)


def test_a_snippet_has_the_lines_of_each_dialect_that_the_source_allows(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(
        f"sources: [{{name: shop, channel: web, write_keys: ['{hash_of('wk_a')}'], dialects: [segment, json]}}]"
    )

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(
            app, ["sources", "snippet", *arguments, "--rules", str(tmp_path), "--url", "https://in.shop.example"]
        )

    shown = run("shop", "--key", "wk_a")
    assert shown.exit_code == 0
    assert 'writeKey: "wk_a", cdnURL: "https://in.shop.example"' in shown.output
    assert 'apiHost: "in.shop.example/v1", protocol: "https"' in shown.output
    assert "https://in.shop.example/v1/events?writeKey=wk_a" in shown.output
    assert "posthog" not in shown.output
    listed = msgspec.json.decode(run("shop", "--dialect", "json", "--json").stdout)
    assert [snippet["dialect"] for snippet in listed["snippets"]] == ["json"]
    assert "WRITE_KEY" in listed["snippets"][0]["text"]
    assert run("shop", "--key", "wk_b").exit_code == 4
    assert run("none").exit_code == 4
    assert run("shop", "--dialect", "snowplow").exit_code == 2
