"""The terminal: driver, first frame, ASCII, cell widths."""
