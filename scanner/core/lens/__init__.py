"""The lens: known by name, measured from a board or from a walk."""
