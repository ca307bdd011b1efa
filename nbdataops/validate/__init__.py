"""Validate: checks measure, one rule judges, a study says what a number is worth."""
