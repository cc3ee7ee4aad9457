"""What engine/ decides, in tables and properties."""
