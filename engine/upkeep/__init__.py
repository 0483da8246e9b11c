"""Disk space: what uses it, what can go, and how it comes back."""
