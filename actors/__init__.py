"""Sequences. Synchronous actors, their mailboxes, and the partition that runs them."""
