"""Changes applied to the source: edits, commit, merge or patch."""
