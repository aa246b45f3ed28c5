"""Editing: the loop, the stepping rules, `SGFEditor` (Algorithm 1)."""
