"""Procedural pictures with exact labels: what the embedded zoo is trained on."""
