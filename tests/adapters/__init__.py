"""What adapters/ does to the world, against real files and servers."""
