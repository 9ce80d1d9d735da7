"""What stays on the card: sealed records only."""
