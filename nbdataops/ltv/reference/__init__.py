"""Published results as data, and this package's answer to each."""

from nbdataops.ltv.reference.published import MODELS, Reference, compute, references

__all__ = ["MODELS", "Reference", "compute", "references"]
