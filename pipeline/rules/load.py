"""Loads rules files into :class:`~pipeline.rules.model.Rules`, or reports every mistake in them at once.

1. Find the files. The shipped default replaces a missing one.
2. Read each file as a document (lines, duplicate keys).
3. Check each document against its struct (unknown names, types, ranges, the struct's own conditions).
4. Check the rules against each other, within a file and across files.

A directory without ``segments.yaml`` gets the shipped segments, except those that use names its other rules do not
define. So a shop that declares its own aggregates need not write segments.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.rules import AggregateRules
from pipeline.route.rules import RoutingRules
from pipeline.rules.crm import CrmRules
from pipeline.rules.crosscheck import cross_check, segment_mistakes
from pipeline.rules.document import read_document
from pipeline.rules.files import FILES, RulesFile
from pipeline.rules.fitted import MODEL_FILE, fitted_model
from pipeline.rules.model import Rules
from pipeline.rules.problem import Problem, RulesError, did_you_mean
from pipeline.rules.shape import Shape, type_of_file
from pipeline.rules.sources import SourceRules
from pipeline.score.prediction import PredictionModel
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRules
from pipeline.trigger.rules import TriggerRules

DEFAULTS: Final = Path(__file__).parent / "default"
MAX_FILE_BYTES: Final = 1 << 20
"""Far larger than a file written by hand. A large file given by mistake is rejected instead of read for minutes."""


def load_rules(directory: Path | None = None) -> Rules:
    """Returns the rules of a directory; None loads the shipped rules. The shipped file replaces a missing one.

    Raises:
        RulesError: The rules have problems. It lists every problem of every file.
    """
    rules, problems = check_rules(directory)
    if rules is None or problems:
        raise RulesError(problems)
    return rules


def check_rules(directory: Path | None = None) -> tuple[Rules | None, list[Problem]]:
    """Returns (rules, no problems), or (None, every problem in the order of files and lines).

    No content of a file makes it raise.
    """
    # 1. Find the files.
    folder = directory or DEFAULTS
    problems = _stray_files(folder)
    shapes: dict[str, Shape] = {}
    parsed: dict[str, dict[str, Any]] = {}
    for spec in FILES:
        before = len(problems)
        shape, data = _read(folder, spec, problems)
        if len(problems) == before:
            shapes[spec.name], parsed[spec.name] = shape, data
    model = fitted_model(folder, parsed.get("aggregates.yaml"), problems)
    parsed[MODEL_FILE] = {"model": model}
    # 4. Check the rules against each other.
    if not (folder / "segments.yaml").exists():
        del shapes["segments.yaml"]
        parsed["segments.yaml"] = _usable_segments(parsed)
    cross_check(shapes, parsed)
    order = {spec.name: place for place, spec in enumerate(FILES)}
    problems.sort(key=lambda problem: (order.get(Path(problem.file).name, -1), problem))
    return (None if problems else _rules(parsed, model)), problems


def origin(directory: Path | None, spec: RulesFile) -> Path:
    """Returns the path of a rules file: in the directory, or in the shipped defaults if the directory lacks it."""
    own = directory / spec.name if directory else DEFAULTS / spec.name
    return own if own.exists() else DEFAULTS / spec.name


def stand_ins(directory: Path | None) -> list[str]:
    """The names of the rules files that a directory lacks: the shipped defaults stand in for them."""
    return [spec.name for spec in FILES if directory is None or not (directory / spec.name).exists()]


def _read(folder: Path, spec: RulesFile, problems: list[Problem]) -> tuple[Shape, dict[str, Any]]:
    """Reads one file and checks it against its struct. Adds its problems to ``problems``."""
    path = origin(folder, spec)
    shape = Shape(str(path), problems)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            problems.append(Problem(str(path), 0, 0, f"larger than {MAX_FILE_BYTES} bytes", "is it a rules file?"))
            return shape, {}
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        problems.append(Problem(str(path), 0, 0, f"cannot be read: {error.strerror}"))
        return shape, {}
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        problems.append(Problem(str(path), line, 1, "not UTF-8 text", "save the file as UTF-8"))
        return shape, {}
    # 2. Read it as a document.
    root = read_document(str(path), text, problems)
    # 3. Check it against its struct.
    return shape, (shape.read(root, type_of_file(spec.shape)) if root else {})


def _stray_files(folder: Path) -> list[Problem]:
    if not folder.is_dir():
        return [Problem(str(folder), 0, 0, "no such directory", "name a directory with rules files")]
    known = {spec.name for spec in FILES}
    names = {path.name for path in folder.iterdir()}
    if not names & {*known, MODEL_FILE} and not any(name.endswith((".yaml", ".yml")) for name in names):
        instead = f"start with: stitchline rules init {folder}; for the shipped rules, name no directory"
        return [Problem(str(folder), 0, 0, "no rules file is in this directory", instead)]
    return [
        Problem(str(path), 0, 0, "not the name of a rules file", did_you_mean(path.stem + ".yaml", known))
        for path in sorted(folder.iterdir())
        if path.suffix in {".yaml", ".yml"} and path.name not in known
    ]


def _usable_segments(parsed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns the shipped segments whose names the directory's rules define, directly and through other segments."""
    segments = parsed["segments.yaml"]["segments"]
    while places := {
        segment.place for segment in segment_mistakes({**parsed, "segments.yaml": {"segments": segments}})
    }:
        segments = [segment for place, segment in enumerate(segments) if place not in places]
    return {"segments": segments}


def _rules(parsed: dict[str, dict[str, Any]], model: PredictionModel | None) -> Rules:
    identifiers = parsed["identifiers.yaml"]
    types = identifiers.get("types", [])
    identity = {**identifiers, "types": [_part(declared, IdentityType) for declared in types]}
    return Rules(
        intake=msgspec.convert(parsed["intake.yaml"], IntakeRules),
        identifiers=tuple(msgspec.convert(_part(declared, IdentifierType), IdentifierType) for declared in types),
        identity=msgspec.convert(identity, IdentityRules),
        aggregates=msgspec.convert(parsed["aggregates.yaml"], AggregateRules),
        journeys=msgspec.convert(parsed["journeys.yaml"], JourneyRules),
        scores=msgspec.convert(parsed["scores.yaml"], ScoreRules),
        segments=msgspec.convert(parsed["segments.yaml"], SegmentRules),
        triggers=msgspec.convert(parsed["triggers.yaml"], TriggerRules),
        routing=msgspec.convert(parsed["routing.yaml"], RoutingRules),
        sources=msgspec.convert(parsed["sources.yaml"], SourceRules),
        crm=msgspec.convert(parsed["crm.yaml"], CrmRules),
        model=model,
    )


def _part(data: dict[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Returns the fields of one stage's struct from the data of a combined struct."""
    return {key: value for key, value in data.items() if key in struct.__struct_fields__}
