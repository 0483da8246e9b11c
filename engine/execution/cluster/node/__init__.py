"""A node: the machine that carries runs of other machines' homes."""
