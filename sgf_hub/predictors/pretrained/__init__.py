"""Predictors made of public models in the format of transformers."""
