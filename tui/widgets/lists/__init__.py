"""Lists of templates, patterns, receivers and findings."""
