"""Runs by name, and the user's requests for them."""
