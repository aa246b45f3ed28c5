"""The same wish through every method, and the blind vote: what the tab Compare is about."""
