"""Settings, their types, the files they come from, and the paths of a home."""
