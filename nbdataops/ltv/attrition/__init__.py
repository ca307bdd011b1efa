"""Latent attrition in continuous time: customers leave without saying so."""
