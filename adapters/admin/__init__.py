"""The admin socket: JSON-RPC 2.0 over a Unix socket, one request a line, and the console that speaks it."""
