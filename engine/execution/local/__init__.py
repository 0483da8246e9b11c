"""Processes and folders on this machine."""
