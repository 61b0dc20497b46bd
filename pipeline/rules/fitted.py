"""The prediction model of a rules directory: ``model.json``, deployed together with the rules it was fitted for."""

from pathlib import Path
from typing import Any, Final

from pipeline.profile.kinds.purchases import PURCHASES
from pipeline.rules.model_file import load_model
from pipeline.rules.problem import Problem
from pipeline.score.prediction import ModelError, PredictionModel

MODEL_FILE: Final = "model.json"


def fitted_model(folder: Path, aggregates: dict[str, Any] | None, problems: list[Problem]) -> PredictionModel | None:
    """Returns the model; None if there is none, or if it cannot be read.

    Adds a problem if it cannot be read, or if the rules lack the aggregate that it reads.
    """
    path = folder / MODEL_FILE
    if not path.exists():
        return None
    try:
        model = load_model(path)
    except ModelError as error:
        problems.append(Problem(str(path), 0, 0, str(error).removeprefix(f"{path}: ")))
        return None
    kinds = {
        aggregate["name"]: aggregate.get("kind", "count") for aggregate in (aggregates or {}).get("aggregates", [])
    }
    if aggregates is not None and kinds.get(model.aggregate) != PURCHASES.name:
        message = f"the model reads the aggregate {model.aggregate!r}, which is not one of kind {PURCHASES.name} here"
        problems.append(Problem(str(path), 0, 0, message, "add it to aggregates.yaml, or fit a model for these rules"))
    return model
