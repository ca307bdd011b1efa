"""Release: the manifest of a candidate, the gate, and what was let out."""
