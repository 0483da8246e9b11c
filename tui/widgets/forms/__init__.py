"""Widgets to type and choose in."""
