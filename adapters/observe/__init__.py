"""Watches: what became durable, as log lines for people and as numbers for Prometheus. Never in the engine's way."""
