"""python -m tests.ltv.oracle: compute answers.csv anew, which takes some minutes."""

from __future__ import annotations

from .answers import write

if __name__ == "__main__":
    write()
