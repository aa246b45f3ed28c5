"""The editor panel: one picture, its history, and what each kind of condition shows."""
