"""Likelihoods on distinct cells: compression, the search for the maximum, and what the data could tell."""
