"""The domain: data and rules of runs, no input or output."""
