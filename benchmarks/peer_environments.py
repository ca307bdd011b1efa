"""The peers, each in an environment of its own under `.venv-peers/`, made by venv and pip when first needed.

What they run with is pinned in a list of requirements. An environment is made anew when its list changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison import PeerMissingError

ENVIRONMENTS = Path(__file__).parent.parent / ".venv-peers"


def python_with(requirements: Path, afterwards: Sequence[Sequence[str]] = ()) -> Path:
    """The Python of an environment with this list of requirements, after which it is named.

    `afterwards` are arguments of that Python, for what is left to install. PeerMissingError if something fails.
    """
    name = requirements.stem
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / ".installed"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return python
    print(f"making {os.path.relpath(folder)} with {name} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    commands = [[sys.executable, "-m", "venv", str(folder)]]
    commands += [[str(python), *words] for words in (install, *afterwards)]
    for command in commands:
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise PeerMissingError(f"{name} cannot be installed here: {' '.join(command[:4])} ... failed")
    stamp.write_text(digest)
    return python
