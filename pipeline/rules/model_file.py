"""Model files: read with checks, written whole or not at all."""

from pathlib import Path
from typing import Final

from pipeline.atomic_file import replacing
from pipeline.score.prediction import ModelError, PredictionModel, decode_model, encode_model

MAX_FILE_BYTES: Final = 1 << 20
"""A model is some 2 kB; an export taken for one is refused before it is read."""


def load_model(path: Path) -> PredictionModel:
    """The model of a file, as it was fitted.

    Raises:
        ModelError: Not there, not readable, or not a model that this version can use. The message names the file.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            msg = f"{path}: larger than {MAX_FILE_BYTES} bytes: is it a model file?"
            raise ModelError(msg)
        data = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ModelError(msg) from error
    try:
        return decode_model(data)
    except ModelError as error:
        msg = f"{path}: {error}"
        raise ModelError(msg) from error


def save_model(path: Path, model: PredictionModel) -> None:
    """Write a sealed model.

    Raises:
        OSError: The file could not be written; what stood there before still does.
    """
    with replacing(path) as file:
        file.write(encode_model(model))
