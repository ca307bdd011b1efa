"""An environment with a copy of nbdataops as a wheel installs it: an editable install makes every start slower."""

from __future__ import annotations

import sys
import venv
from pathlib import Path
from shutil import copytree, ignore_patterns

import nbdataops


def install(folder: Path) -> Path:
    """Programs of an environment with a copy of nbdataops; all other packages are borrowed from this one."""
    root = folder / "environment"
    venv.create(root, with_pip=False)
    [packages] = root.glob("lib/python*/site-packages")
    copytree(Path(nbdataops.__file__).parent, packages / "nbdataops", ignore=ignore_patterns("__pycache__"))
    borrowed = [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    script = root / "bin" / "nbdataops"
    script.write_text(
        f"#!{root / 'bin' / 'python'}\nimport re\nimport sys\nfrom nbdataops.cli import main\n"
        "if __name__ == '__main__':\n    sys.argv[0] = re.sub('(-script.pyw|.exe)?$', '', sys.argv[0])\n"
        "    sys.exit(main())\n"
    )
    script.chmod(0o755)
    return root / "bin"
