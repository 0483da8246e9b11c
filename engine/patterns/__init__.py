"""Patterns of what worked, for later runs."""
