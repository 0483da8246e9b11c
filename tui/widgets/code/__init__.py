"""Widgets that show code and diffs."""
