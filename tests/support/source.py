"""The project's own source, read as syntax trees: what the contract tests about shape look at."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "devdns": ROOT / "devdns",
    "devdns_resolver": ROOT / "resolver" / "devdns_resolver",
    "devdns_proxy": ROOT / "proxy" / "devdns_proxy",
    "devdns_bench": ROOT / "bench" / "devdns_bench",
    "devdns_study": ROOT / "study" / "devdns_study",
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
def modules() -> dict[str, Path]:
    """Dotted module name -> file, for all five packages."""
    return {
        ".".join([name, *path.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__"): path
        for name, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
    }


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(module, line) of each import, those inside functions too; `from x import y` gives `x.y` where that is a module of ours."""
    known = modules()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            base = node.module or ""
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield (whole if whole in known else base, node.lineno)


def is_ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


def is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def inside(module: str, places: tuple[str, ...]) -> bool:
    """True when the module is one of the places or below one; a place that ends in `*` is a prefix of the name."""
    return any(
        module.startswith(place[:-1]) if place.endswith("*") else module == place or module.startswith(place + ".")
        for place in places
    )
