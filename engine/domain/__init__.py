"""What a run is: data and rules, no input or output."""
