"""DataOps for notebooks: build, validate and release a metric such as user lifetime value.

>>> import nbdataops
>>> nbdataops.__version__.count(".")
2
"""

__version__ = "0.1.0"

__all__ = ["__version__", "open_product"]


def __getattr__(name: str) -> object:
    # The face is imported only when it is asked for: a kernel that needs `stage` pays for nothing else.
    if name == "open_product":
        from nbdataops.workspace import open_product

        return open_product
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
