"""Widgets that show the files of a workspace."""
