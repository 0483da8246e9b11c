"""Widgets that others build on."""
