"""Disk space: usage, cleanup, trash."""
