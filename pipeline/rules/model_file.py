"""Reads and checks model files, and writes them atomically."""

from pathlib import Path
from typing import Final

from pipeline.atomic_file import replacing
from pipeline.score.prediction import ModelError, PredictionModel, decode_model, encode_model

MAX_FILE_BYTES: Final = 1 << 20
"""A model has some 2 kB. An export given by mistake is rejected before it is read."""


def load_model(path: Path) -> PredictionModel:
    """Returns the model of a file.

    Raises:
        ModelError: The file is missing or unreadable, or not a model that this version can use. The message names it.
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
    """Writes a model with its version set.

    Raises:
        OSError: The file could not be written. An existing file is unchanged.
    """
    with replacing(path) as file:
        file.write(encode_model(model))
