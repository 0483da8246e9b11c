"""Widgets of the disk screen."""
