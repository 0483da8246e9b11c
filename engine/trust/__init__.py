"""Trust: what a repository asks for, and what the user agreed to."""
