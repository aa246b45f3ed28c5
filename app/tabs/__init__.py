"""One file a tab, one builder function a file."""
