"""The package is a house: a module imports from lower floors, and nothing runs in circles."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "miaod_nb"
FLOORS = {
    "errors": 1, "boxes": 1, "config": 1, "progress": 1, "plugins": 1, "processes": 1,
    "wording": 1,
    "data": 2, "toy": 2, "evaluation": 2,
    "plots": 3, "runs": 3, "detector": 3,
    "learning": 4, "selection": 4,
    "passes": 5,
    "experiment": 6,
    "authors": 7, "labeling": 7, "inspection": 7,
    "trained": 8, "views": 8,
    "compare": 9, "bench": 9,
    "report": 10,
    "doctor": 11, "ranking": 11,
    "commands": 12,
    "cli": 13,
    "__main__": 14,
}  # fmt: skip
SAME_FLOOR = {  # besides the modules of floor 1, which may use each other
    ("selection", "learning"),  # the discrepancy of the loss is that of the uncertainty
}

Edges = dict[str, set[str]]


def module_name(file: Path, package: Path) -> str:
    """Dotted name of a file of the package."""
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(tree: ast.AST, module: str, is_package: bool) -> set[str]:
    """Dotted names that the file imports anywhere, `from a import b` as a.b."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:  # relative: count the dots up from the file's own package
                parts = module.split(".")
                start = parts[: len(parts) - node.level + is_package]
                origin = ".".join([*start, *filter(None, [origin])])
            names |= {f"{origin}.{alias.name}" for alias in node.names}
    return names


def import_edges(package: Path) -> Edges:
    """Which modules of the package each of its modules imports."""
    files = {module_name(file, package): file for file in package.rglob("*.py")}
    edges: Edges = {}
    for module, file in files.items():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        edges[module] = set()
        for name in imported_names(tree, module, file.name == "__init__.py"):
            if name.split(".")[0] == package.name:
                while name not in files and "." in name:  # a.b.Name -> the module a.b
                    name = name.rpartition(".")[0]
                edges[module].add(name)
    return edges


def room(module: str) -> str:
    """The file or folder directly below the package, "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def wrong_direction(user: str, used: str) -> bool:
    """Whether `user` may not import `used`."""
    from_room, to_room = room(user), room(used)
    if not to_room:
        return True  # the package itself is the front door, for those outside
    if not from_room or from_room == to_room or (from_room, to_room) in SAME_FLOOR:
        return False
    start, end = FLOORS.get(from_room, 0), FLOORS.get(to_room, 0)
    return not (end < start or start == end == 1)


def find_cycle(edges: Edges) -> list[str]:
    """Modules that import each other in a circle, first and last the same; [] if none do."""
    finished: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module not in finished:
            for used in sorted(edges.get(module, ())):
                if cycle := visit(used, [*trail, module]):
                    return cycle
            finished.add(module)
        return []

    return next((cycle for module in sorted(edges) if (cycle := visit(module, []))), [])


def faults(package: Path) -> list[str]:
    """Everything that is wrong with the package's imports, in words."""
    edges = import_edges(package)
    rooms = {room(module) for module in edges} - {""}
    found = [f"{name} has no floor: place it in FLOORS" for name in sorted(rooms - FLOORS.keys())]
    found += [
        f"{user} may not import {used}"
        for user in sorted(edges)
        for used in sorted(edges[user])
        if wrong_direction(user, used)
    ]
    cycle = find_cycle(edges)
    return found + ([f"circle: {' -> '.join(cycle)}"] if cycle else [])


def listed(init: Path) -> list[str]:
    """The files that a room's `__init__` names, a line each: "name: what is in it"."""
    doc = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
    return re.findall(r"^(\w+): ", doc, re.MULTILINE)


def room_faults(package: Path) -> list[str]:
    """Rooms whose list is not of the files that are there, and files that import others of their
    room which stand after them in the list."""
    edges, found = import_edges(package), []
    for init in sorted(package.rglob("*/__init__.py")):
        folder = init.parent
        here = {p.stem for p in folder.glob("*.py")} | {
            p.parent.name for p in folder.glob("*/*.py")
        }
        here.discard("__init__")
        names, prefix = listed(init), module_name(init, package)
        found += [f"{prefix} does not list {name}" for name in sorted(here - {*names})]
        found += [f"{prefix} lists {name}, which is not there" for name in sorted({*names} - here)]
        order = {f"{prefix}.{name}": place for place, name in enumerate(names)}
        for user, used in ((u, v) for u in sorted(edges) for v in sorted(edges[u])):
            places = [order.get(".".join(m.split(".")[: prefix.count(".") + 2]))
                      for m in (user, used)]  # fmt: skip
            if None not in places and places[0] < places[1]:  # type: ignore[operator]
                found.append(f"{user} may not import {used}, which {prefix} lists after it")
    return found


def build(root: Path, files: dict[str, str]) -> Path:
    """A package with these files (path: text), and an empty front door."""
    package = root / "house"
    for name, text in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


def test_the_package_keeps_to_its_floors() -> None:
    assert len(import_edges(PACKAGE)) > 10  # an empty result would prove nothing
    assert faults(PACKAGE) == []


def test_every_room_lists_its_files_in_the_order_in_which_they_build_on_each_other() -> None:
    assert room_faults(PACKAGE) == []


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"data/__init__.py": '"""Data.\n\na: x\n"""', "data/a.py": "", "data/b.py": ""},
         "house.data does not list b"),
        ({"data/__init__.py": '"""Data.\n\na: x\nb: y\n"""', "data/a.py": ""},
         "house.data lists b, which is not there"),
        ({"data/__init__.py": '"""Data.\n\na: x\nb: y\n"""', "data/a.py": "from .b import f",
          "data/b.py": ""},
         "house.data.a may not import house.data.b, which house.data lists after it"),
        ({"data/__init__.py": '"""Data.\n\na: x\nb: y\n"""', "data/a.py": "from .b.c import f",
          "data/b/__init__.py": '"""c: x"""', "data/b/c.py": ""},
         "house.data.a may not import house.data.b.c, which house.data lists after it"),
    ],
)  # fmt: skip
def test_rooms_that_are_not_as_listed(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    assert room_faults(build(tmp_path, files)) == [fault]


@pytest.mark.parametrize(
    "files",
    [
        {"experiment.py": "from house.data.pool import f", "data/pool.py": "import os, torch"},
        {"data/a.py": "from house.data import b", "data/b.py": "from .c import f", "data/c.py": ""},
        {"config.py": "from house.errors import E", "errors.py": ""},
        {"cli.py": "import house.report.page", "report/page.py": ""},
        {"__init__.py": "from house.cli import main", "cli.py": "import household"},
        {"data/__init__.py": "from .a import f", "data/a.py": "from ..errors import E",
         "errors.py": ""},
    ],
)  # fmt: skip
def test_allowed_imports(tmp_path: Path, files: dict[str, str]) -> None:
    assert faults(build(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"data/pool.py": "import house.experiment", "experiment.py": ""},
         "house.data.pool may not import house.experiment"),
        ({"errors.py": "def f():\n    from house.data import pool", "data/pool.py": ""},
         "house.errors may not import house.data.pool"),
        ({"errors.py": "from .data.pool import f", "data/pool.py": ""},
         "house.errors may not import house.data.pool"),
        ({"errors.py": "if TYPE_CHECKING:\n    import house.data", "data/__init__.py": ""},
         "house.errors may not import house.data"),
        ({"learning/train.py": "from ..selection import x", "selection/__init__.py": ""},
         "house.learning.train may not import house.selection"),
        ({"report/page.py": "from house import cli", "cli.py": ""},
         "house.report.page may not import house.cli"),
        ({"cli.py": "from house import Config"}, "house.cli may not import house"),
        ({"cli.py": "from . import Config"}, "house.cli may not import house"),
        ({"cli.py": "import house"}, "house.cli may not import house"),
        ({"cellar.py": ""}, "cellar has no floor: place it in FLOORS"),
        ({"data/a.py": "from .b import f", "data/b.py": "from .a import g"},
         "circle: house.data.a -> house.data.b -> house.data.a"),
        ({"errors.py": "import house.config", "config.py": "import house.errors"},
         "circle: house.config -> house.errors -> house.config"),
        ({"data/__init__.py": "from .a import f", "data/a.py": "from house.data import f"},
         "circle: house.data -> house.data.a -> house.data"),
    ],
)  # fmt: skip
def test_forbidden_imports_are_named(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    assert faults(build(tmp_path, files)) == [fault]
