"""State of screens that is no widget: grouped runs, filters, drafts."""
