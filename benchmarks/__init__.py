"""What the published figures come from: ours and its yardstick, side by side in one run."""
