"""Venues: where orders are worked, each behind the same port, with one contract that all of them keep."""
