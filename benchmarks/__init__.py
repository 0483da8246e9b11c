"""The source of the published figures: ours and its yardstick, side by side in one run."""
