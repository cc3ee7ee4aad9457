"""What every venue behind the port has to do."""
