"""Hospital files to analysis rows: reading, mapping, checks, derivations. Knows no model."""
