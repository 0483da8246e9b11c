"""Code to look at: the lines of a file or a diff, which words changed, and their colours."""
