"""Market data: players of recorded data, and the sessions of exchanges."""
