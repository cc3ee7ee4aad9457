"""The embedded store: one SQLite file a partition, in which a batch of the partition is one transaction."""
