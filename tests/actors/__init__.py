"""Actors, each alone on a partition with a journal in memory: no loop, no sleeps."""
