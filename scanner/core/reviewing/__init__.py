"""What reviewers decide, applied to what fusion found."""
