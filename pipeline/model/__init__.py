"""Models of what customers will do: fitted offline on exported profiles, evaluated on a hold-out, written as a file.

The file is a :class:`~pipeline.score.prediction.PredictionModel`; scoring it is the core's, and needs none of this.
"""
