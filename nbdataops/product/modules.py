"""The project's own modules that a notebook imports: files under the product's folder, directly or indirectly."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbdataops.errors import NotebookError, Place
from nbdataops.product.code_digest import code_digest
from nbdataops.product.parsed_cells import parse_python


@dataclass(frozen=True, slots=True)
class ProjectModules:
    """`files` and their `digests` (path in the product, digest), sorted; `imports`: all top-level names imported."""

    files: tuple[Path, ...]
    digests: tuple[tuple[str, str], ...]
    imports: tuple[str, ...]


def find_modules(root: Path, trees: Iterable[ast.AST]) -> ProjectModules:
    """Follow the imports of a notebook's cells into the product's folder.

    NotebookError, at file and line, for a module with a syntax error, or one that itself uses `nbdataops.stage`.
    """
    found: dict[Path, str] = {}
    external: set[str] = set()
    waiting = [name for tree in trees for name in _imports(tree, package="")]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        external.add(name.split(".")[0])
        for path, package in _files(root, name):
            if path in found:
                continue
            tree = _parse(root, path)
            _refuse_stage(tree, root, path)
            found[path] = code_digest([tree])
            waiting.extend(_imports(tree, package))
    files = tuple(sorted(found))
    digests = tuple((path.relative_to(root).as_posix(), found[path]) for path in files)
    return ProjectModules(files, digests, tuple(sorted(external)))


def module_digest(path: Path) -> str:
    """The digest of a module as it is on disk now, the same as in `NotebookStage.module_digests`."""
    return code_digest([_parse(path.parent, path)])


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of all modules that the code may import; `from a import b` may mean a.b."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                base = _absolute(module or "", package, level)
                if base is None:
                    continue
                if base:
                    yield base
                yield from (f"{base}.{a.name}".lstrip(".") for a in aliases if a.name != "*")
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ) if name and not name.startswith("."):
                yield name
            case _:
                pass


def _absolute(module: str, package: str, level: int) -> str | None:
    if level == 0:
        return module
    parts = package.split(".") if package else []
    if level - 1 > len(parts):
        return None
    kept = parts[: len(parts) - (level - 1)]
    return ".".join([*kept, *([module] if module else [])])


def _files(root: Path, name: str) -> Iterator[tuple[Path, str]]:
    """(file, package it belongs to) of everything that importing a dotted name executes."""
    parts = name.split(".")
    if parts[0] == "nbdataops" or not all(part.isidentifier() for part in parts):
        return
    folder = root
    for depth, part in enumerate(parts):
        package = ".".join(parts[: depth + 1])
        init, module = folder / part / "__init__.py", folder / f"{part}.py"
        if init.is_file():
            yield init, package
        elif module.is_file():
            yield module, ".".join(parts[:depth])
            return
        elif not (folder / part).is_dir():
            return
        folder = folder / part


def _parse(root: Path, path: Path) -> ast.Module:
    file = path.relative_to(root).as_posix()
    try:
        return parse_python(path.read_bytes())
    except SyntaxError as error:
        raise NotebookError(
            f"this module has a syntax error: {error.msg}",
            where=Place(file=file, line=error.lineno),
            todo="mend it; notebooks of the product import it",
        ) from error
    except (ValueError, OSError, RecursionError, MemoryError) as error:
        raise NotebookError(
            f"this module cannot be read: {error}",
            where=Place(file=file),
            todo="save it as text in UTF-8; notebooks of the product import it",
        ) from error


def _refuse_stage(tree: ast.Module, root: Path, path: Path) -> None:
    names = {
        alias.asname or "nbdataops"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] == "nbdataops" and (alias.name == "nbdataops" or not alias.asname)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                guilty = any(a.name == "nbdataops.stage" for a in aliases)
            case ast.ImportFrom(module="nbdataops", names=aliases, level=0):
                guilty = any(a.name == "stage" for a in aliases)
            case ast.ImportFrom(module="nbdataops.stage", level=0):
                guilty = True
            case ast.Attribute(value=ast.Name(id=name), attr="stage"):
                guilty = name in names
            case _:
                continue
        if guilty:
            raise NotebookError(
                "a module of the project uses nbdataops' stage, which belongs to notebooks",
                where=Place(file=path.relative_to(root).as_posix(), line=getattr(node, "lineno", None)),
                todo="take frames as arguments and return frames; read and write in the notebook",
            )
