"""The command `neurojax`. Nothing heavy is imported before a command is known."""
