"""``stitchline sources add | rotate | ls | snippet``: the senders that the collector takes events from.

Exit codes: 0 done, 1 the file has problems or cannot be written, 2 the command line is wrong, 4 no such source.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.collect.snippets import KEY, snippets
from connectors.collect.source_edit import FILE, SourceText, with_key, with_source
from connectors.collect.write_keys import hash_of, new_key
from pipeline.atomic_file import replacing
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.errors import MisuseError
from pipeline.event.model import CHANNELS
from pipeline.rules.load import load_rules
from pipeline.rules.sources import Source
from pipeline.settings import Settings

CODES = "Exit codes: 0 done; 1 the file has problems; 2 wrong command line."
ADD_EXAMPLES = f"""\b
{CODES}
\b
Examples:
  stitchline sources add shop-web --channel web --origin https://shop.example --rules my-rules
  stitchline sources add till --channel pos --tenant north --rules my-rules
"""
ROTATE_EXAMPLES = f"""\b
{CODES}
\b
Examples:
  stitchline sources rotate shop-web --rules my-rules
  stitchline sources rotate shop-web --retire --rules my-rules
"""
LS_EXAMPLES = f"""\b
{CODES}
\b
Examples:
  stitchline sources ls
  stitchline sources ls --rules my-rules --json
"""

SNIPPET_EXAMPLES = """\b
Exit codes: 0 printed; 1 the file has problems; 2 wrong command line; 4 no such source, or not its key.
\b
Examples:
  stitchline sources snippet shop-web --url https://events.shop.example
  stitchline sources snippet shop-web --dialect segment --key "$WRITE_KEY"
"""

app = typer.Typer(no_args_is_help=True, help="List, add, rotate and try the collector's sources and their write keys.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the source.")]
RulesDir = Annotated[
    Path | None,
    typer.Option(
        "--rules", metavar="DIR", envvar="STITCHLINE_RULES_DIR", show_envvar=False,
        help="Directory of rules files. Default: STITCHLINE_RULES_DIR.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(epilog=ADD_EXAMPLES)
def add(
    name: Name,
    *,
    channel: Annotated[str, typer.Option(help="Channel of its events: " + ", ".join(CHANNELS) + ".")],
    tenant: Annotated[str, typer.Option(help="Tenant of its events.")] = "default",
    origin: Annotated[
        list[str] | None, typer.Option(help="Origin whose pages may send, as https://shop.example; repeatable.")
    ] = None,
    rules: RulesDir = None,
    as_json: Json = False,
) -> None:
    """Add a source to sources.yaml with a new write key, and print the key. It is stored as a hash: keep it."""
    key = new_key()
    text = SourceText(name, channel, hash_of(key), tuple(origin or ()), tenant)
    _edit(rules, lambda before: with_source(before, text))
    _show_key(name, key, as_json=as_json)


@app.command(epilog=ROTATE_EXAMPLES)
def rotate(
    name: Name,
    retire: Annotated[bool, typer.Option("--retire", help="Remove the earlier keys at once.")] = False,
    rules: RulesDir = None,
    as_json: Json = False,
) -> None:
    """Add a new write key to a source and print it. The earlier keys stay valid until they are retired."""
    key = new_key()
    _edit(rules, lambda before: with_key(before, name, hash_of(key), retire=retire))
    _show_key(name, key, as_json=as_json)


@app.command(epilog=SNIPPET_EXAMPLES)
def snippet(
    name: Name,
    *,
    dialect: Annotated[str, typer.Option(help="One dialect only. Default: all that the source allows.")] = "",
    url: Annotated[str, typer.Option(help="The collector's URL. Default: STITCHLINE_COLLECT_PUBLIC_URL.")] = "",
    key: Annotated[str, typer.Option(help="The write key, to be written into the text. It is stored as a hash.")] = "",
    rules: RulesDir = None,
    as_json: Json = False,
) -> None:
    """Print what to paste into a page or an app: the lines that configure the SDK of each dialect."""
    with explained(OSError):
        settings = Settings()
        source = next((source for source in load_rules(rules).sources.sources if source.name == name), None)
        if source is None:
            fail(f"there is no source {name}; see: stitchline sources ls", ExitCode.UNKNOWN)
        if key and hash_of(key) not in source.write_keys:
            fail(f"this is no write key of {name}; make one with: stitchline sources rotate {name}", ExitCode.UNKNOWN)
        if dialect and dialect not in source.dialects:
            message = f"{name} allows {', '.join(source.dialects)}"
            raise typer.BadParameter(message, param_hint="--dialect")
        at = url or settings.collect_public_url or f"http://{settings.collect_host}:{settings.collect_port}"
        if not at.startswith(("http://", "https://")):
            message = "must begin with http:// or https://"
            raise typer.BadParameter(message, param_hint="--url")
    chosen = tuple(allowed for allowed in source.dialects if dialect in ("", allowed))
    texts = snippets(chosen, at, key or KEY)
    if as_json:
        print_json({"source": name, "url": at, "snippets": texts}, indent=2)
        return
    for text in texts:
        print_line(f"== {text.dialect} ==\n{text.text}")


@app.command(epilog=LS_EXAMPLES)
def ls(rules: RulesDir = None, as_json: Json = False) -> None:
    """List the sources. Write keys are shown by the first digits of their hash."""
    with explained(OSError):
        sources = load_rules(rules).sources.sources
    if as_json:
        print_json({"sources": [_row(source) for source in sources]}, indent=2)
        return
    if not sources:
        print_line("no sources; add one with: stitchline sources add NAME --channel web")
    for source in sources:
        row = _row(source)
        keys = ", ".join(row["write_keys"]) or "none"
        vendors = f" · webhooks: {', '.join(row['webhooks'])}" if row["webhooks"] else ""
        origins = f" · origins: {', '.join(source.origins)}" if source.origins else ""
        print_line(f"{source.name} · {source.channel} · tenant {source.tenant} · keys: {keys}{origins}{vendors}")


def _row(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "tenant": source.tenant,
        "channel": source.channel,
        "write_keys": [key[:15] for key in source.write_keys],
        "dialects": list(source.dialects),
        "webhooks": [webhook.vendor for webhook in source.webhooks],
        "origins": list(source.origins),
        "rate": source.rate,
        "daily_cap": source.daily_cap,
    }


def _edit(rules: Path | None, edit: Any) -> None:
    """Replace sources.yaml by its edited text, unless that would have mistakes."""
    with explained(OSError):
        if rules is None:
            message = "name the directory of your rules files with --rules DIR or STITCHLINE_RULES_DIR"
            raise MisuseError(message)
        path = rules / FILE
        mode = path.stat().st_mode if path.exists() else None
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = edit(before).encode()
        rules.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(after)
        path.chmod(0o644 if mode is None else mode & 0o777)


def _show_key(name: str, key: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"source": name, "write_key": key})
    else:
        print_line(key)
