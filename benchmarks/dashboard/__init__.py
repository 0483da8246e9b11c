"""The cost of the dashboard: real processes in pseudo-terminals, beside plain Textual apps."""
