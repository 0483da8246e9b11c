"""What moves: processes, their output, the queue."""
