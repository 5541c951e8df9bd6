"""Everything that reads or writes the formats of the authors' code."""
