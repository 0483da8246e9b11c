"""Checkpoints of a workspace, and the changes between them."""
