"""The bus: an embedded NATS server, a fast connection to it, and the streams that stand behind the subjects."""
