"""Captions as a condition."""
