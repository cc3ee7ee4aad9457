"""The real daemon, killed: at every step of an order's way, at random, with its NATS server, with its disk full."""
