"""What the dashboard costs: real processes in pseudo-terminals, beside plain Textual apps."""
