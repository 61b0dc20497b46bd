"""``python -m schemas.check`` checks the current schemas against every released version. Exits 1 on an incompatibility.

``python -m schemas.check --release`` saves each changed schema as its next released version and assigns an id. It
refuses an incompatible change, which needs a new topic version instead.
"""

import json
import sys
from pathlib import Path

import schemas
from schemas.compatibility import problems, same_shape
from schemas.level import level

FIRST_ID, LAST_ID = 1_400_000_001, 1_499_999_999
_HERE = Path(__file__).parent


def incompatible(name: str) -> list[str]:
    """Returns where the current file of a schema is incompatible with a released version, at the schema's level."""
    current, promised = schemas.text(name), level(name)
    return [
        f"{name}.avsc against released version {version} ({promised}): {line}"
        for version in schemas.versions(name)
        for line in problems(schemas.released(name, version), current, promised)
    ]


def unreleased(name: str) -> bool:
    """Returns whether the current file differs from its newest released version in more than documentation."""
    return not same_shape(schemas.text(name), schemas.released(name, schemas.versions(name)[-1]))


def id_problems(table: dict[str, dict[str, int]], kept: dict[str, set[str]]) -> list[str]:
    """Returns the faults of ids.json (``table``) compared with the released versions on disk (``kept``)."""
    numbers = [number for ids in table.values() for number in ids.values()]
    issues = [f"ids.json: id {n} is given twice" for n in sorted({n for n in numbers if numbers.count(n) > 1})]
    issues += [f"ids.json: id {n} is not within {FIRST_ID}..{LAST_ID}" for n in numbers if not FIRST_ID <= n <= LAST_ID]
    for name in sorted(table.keys() | kept.keys()):
        listed, kept_versions = sorted(table.get(name, {})), sorted(kept.get(name, ()))
        if listed != kept_versions:
            issues.append(f"ids.json: {name} lists versions {listed}, released/ holds {kept_versions}")
    return issues


def check() -> list[str]:
    """Returns every problem as one line that states the remedy."""
    issues = id_problems(_table(), _kept())
    for name in schemas.names():
        broken = incompatible(name)
        issues += broken
        if not broken and unreleased(name):
            issues.append(
                f"{name}.avsc differs from its newest released version: run python -m schemas.check --release"
            )
    return issues


def release() -> list[str]:
    """Saves every changed schema as a new released version. Returns the refused changes, one line each."""
    table, refused = _table(), []
    for name in schemas.names():
        if not unreleased(name):
            continue
        if broken := incompatible(name):
            refused += broken
            continue
        version = schemas.versions(name)[-1] + 1
        table[name][str(version)] = max(table[name].values()) + 1
        (_HERE / "released" / name / f"{version}.avsc").write_text(schemas.text(name), encoding="utf-8")
    (_HERE / "ids.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return refused


def _table() -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = json.loads((_HERE / "ids.json").read_text(encoding="utf-8"))
    return table


def _kept() -> dict[str, set[str]]:
    return {folder.name: {file.stem for file in folder.glob("*.avsc")} for folder in (_HERE / "released").iterdir()}


def main(arguments: list[str]) -> int:
    """Runs the check or, with --release, saves changes. Returns 0 if all is well, 1 for problems, 2 for bad usage."""
    if arguments not in ([], ["--release"]):
        print(__doc__)
        return 2
    issues = release() if arguments else check()
    print("\n".join(issues) or f"schemas: {len(schemas.names())} compatible with every released version")
    return bool(issues)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
