"""Decides. Pure values and functions: no await, no I/O, no clock, no randomness."""
