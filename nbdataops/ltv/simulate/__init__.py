"""Customers with known truth, drawn from the models and from worlds that break their assumptions."""
