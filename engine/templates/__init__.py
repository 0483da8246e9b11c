"""Run templates: found, read, checked and rendered."""
