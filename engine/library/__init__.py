"""What is kept for use again: run templates."""
