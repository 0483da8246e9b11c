"""State of screens that does not belong to a widget: grouped runs, filters, drafts."""
