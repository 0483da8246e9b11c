"""Widgets that show runs."""
