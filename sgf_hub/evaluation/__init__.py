"""Measurements: of a generator, and of edits."""
