"""Market data, read and played."""
