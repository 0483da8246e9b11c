"""Runs at work: the queue, supervisors, output, events and faults."""
