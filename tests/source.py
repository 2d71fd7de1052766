"""The source of the product as the laws see it: modules, what they import, what they call."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

Modules = dict[str, ast.Module]


@functools.cache
def read_modules() -> Modules:
    """Every module of the product, by its dotted name."""
    files = sorted((REPOSITORY / "app").rglob("*.py"))
    return {_dotted(file): ast.parse(file.read_text()) for file in files}


@functools.cache
def read_imports() -> Modules:
    """Every module with nothing but its imports: the skeleton of the house."""
    kinds = ast.Import | ast.ImportFrom
    return {
        name: ast.Module([node for node in tree.body if isinstance(node, kinds)], [])
        for name, tree in read_modules().items()
    }


def imports(modules: Modules, name: str) -> set[str]:
    """What a module imports, by the dotted names of modules where they are ours."""
    found = set()
    for node in ast.walk(modules[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative imports hide where things come from"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {each for each in inner if each in modules} or {str(node.module)}
    return found


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def last_name(node: ast.AST) -> str:
    """`models.Suppression` and `Suppression` are both Suppression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def names_for(tree: ast.Module, originals: set[str]) -> set[str]:
    """The names under which a module knows certain classes: `import … as`, `_Row = …`."""
    names = set(originals)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.asname and alias.name in names}
        elif isinstance(node, ast.Assign) and last_name(node.value) in names:
            names |= {last_name(target) for target in node.targets}
    return names


def _dotted(file: Path) -> str:
    parts = file.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
