"""Pure computation: no clock, file, socket, log or randomness of its own."""
