"""Seeded worlds: an engine, a hostile venue, a moving market and crashes, with every invariant checked at each step."""
