"""Faces read by networks that others published: landmarks and gender; and what is measured by them."""
