"""The tests. A package of its own, so that the `tests` which eventkit installs cannot take its place."""
