"""Predictors and captioners of the drawn worlds."""
