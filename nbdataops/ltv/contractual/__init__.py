"""Customers seen at fixed occasions, or under a contract: discrete time."""
