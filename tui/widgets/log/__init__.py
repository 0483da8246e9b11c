"""Widgets of the event log."""
