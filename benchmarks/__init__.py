"""Timings, as ratios and medians of one run: nothing here is a test."""
