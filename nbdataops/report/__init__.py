"""Report: what a run found, as one page and as JSON."""
