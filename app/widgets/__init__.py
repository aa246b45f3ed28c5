"""HTML components, rendering, reports."""
