"""Runs and events in SQLite."""
