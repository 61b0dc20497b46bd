"""Prediction models, fitted offline on exported profiles, evaluated on a hold-out and written to a file.

The file holds a :class:`~pipeline.score.prediction.PredictionModel`. Applying the model is part of the core and does
not need this package.
"""
