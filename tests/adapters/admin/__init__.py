"""The admin socket, from its protocol to its console."""
