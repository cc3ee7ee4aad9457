"""Tests of the store, and of what every journal has to do."""
