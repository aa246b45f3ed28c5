"""What a user would pick instead: the same computations, written the plain way."""
