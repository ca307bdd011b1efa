"""Sources become snapshots: files are read strictly, held against their data contract, and stored by content."""
