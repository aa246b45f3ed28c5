"""Generators that learn adversarially alone."""
