"""Workspaces created, of every kind."""
