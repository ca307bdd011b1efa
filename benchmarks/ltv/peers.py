"""The peers, each in an environment of its own under `.venv-peers/`, made by venv and pip when first needed.

What they run with is pinned in `requirements/`. An environment is made anew when its list changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.comparison import PeerMissingError
from benchmarks.ltv.turns import ROOT, Side

ENVIRONMENTS = ROOT / ".venv-peers"
REQUIREMENTS = Path(__file__).parent / "requirements"


def lifetimes() -> Side:
    return Side("lifetimes 0.11.3", "lifetimes", python_with("lifetimes"))


def pymc_marketing() -> Side:
    return Side("pymc-marketing 0.19.2", "pymc_marketing", python_with("pymc_marketing"))


def python_with(name: str) -> Path:
    """The Python of an environment with this list of requirements; PeerMissingError if pip cannot make it."""
    wanted, folder = REQUIREMENTS / f"{name}.txt", ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / ".installed"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return python
    print(f"making {os.path.relpath(folder)} with {name} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)],
    ):
        done = subprocess.run(command, stdout=sys.stderr, check=False)
        if done.returncode:
            raise PeerMissingError(f"{name} cannot be installed here: {' '.join(command[:4])} ... failed")
    stamp.write_text(digest)
    return python
