"""The page as it is served: shell, start, limits."""
