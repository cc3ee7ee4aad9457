"""Touches the world. NATS, SQLite, venues, market data, the admin socket, the command line, the daemon."""
