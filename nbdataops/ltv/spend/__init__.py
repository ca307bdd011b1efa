"""What a transaction is worth."""
