"""Hypothesis without a time limit: the machine may be busy."""

from hypothesis import settings

settings.register_profile("store", deadline=None)
settings.load_profile("store")
