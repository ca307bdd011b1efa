"""Published results as data, and this package's answer to each; `python -m nbdataops.ltv.reference` prints them."""

from nbdataops.ltv.reference.datasets import DATA_SETS, data_set
from nbdataops.ltv.reference.published import Grounds, Reference, references
from nbdataops.ltv.reference.recompute import MODELS, Recomputed, check, compute

__all__ = [
    "DATA_SETS",
    "MODELS",
    "Grounds",
    "Recomputed",
    "Reference",
    "check",
    "compute",
    "data_set",
    "references",
]
