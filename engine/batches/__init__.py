"""Batches: requested, planned, started and summed up."""
