"""How orders are worked: each algorithm by itself, and all of them in random markets."""
