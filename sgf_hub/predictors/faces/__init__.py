"""Faces read by networks that others published: landmarks, gender, age; and what is measured by them."""
