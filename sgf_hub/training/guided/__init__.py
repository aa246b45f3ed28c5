"""Generators that learn guided by an encoder, sharpened by a critic."""
