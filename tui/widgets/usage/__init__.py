"""Widgets of the usage screen."""
