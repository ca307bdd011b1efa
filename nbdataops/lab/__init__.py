"""Lab: the panel in the notebook."""
