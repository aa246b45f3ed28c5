"""The order of rooms (docs/architecture.md): each imports only what stands before it, and no files form a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# low to high; names on one line stand side by side and may import each other's files, as long as no circle forms
LIBRARY = [
    ["errors", "types", "validation"],
    ["hub", "field", "mapping"],
    ["predictors", "data"],
    ["generators"],
    ["latents"],
    ["editing", "inversion"],
    ["baselines", "training"],
    ["evaluation"],
    ["fitting"],
    ["cli"],
    ["__init__", "__main__"],
]
DEMO = [
    ["core"],
    ["models"],
    ["widgets"],
    ["panels"],
    ["compare", "api"],
    ["tabs"],
    ["server"],
    ["screenshots", "offers"],
]


def modules(package: str) -> dict[str, Path]:
    """Dotted name => file."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules that a file imports, wherever in it; a package's `__init__` only where it is what is meant."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found |= {whole if whole in known else str(node.module)} & known.keys()
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & known.keys()
    return found


def graph(package: str) -> dict[str, set[str]]:
    known = modules(package)
    return {name: imports(path, known) - {name} for name, path in known.items()}


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


@pytest.mark.parametrize(("package", "floors"), [("sgf_hub", LIBRARY), ("app", DEMO)], ids=["library", "demo"])
def test_each_room_imports_only_what_stands_before_it(package, floors):
    height = {one: number for number, side_by_side in enumerate(floors) for one in side_by_side}
    height.setdefault("__init__", 0)
    wrong = [
        f"{name} -> {other}"
        for name, others in graph(package).items()
        for other in others
        if height[room(other)] > height[room(name)]
    ]
    assert not wrong


@pytest.mark.parametrize("package", ["sgf_hub", "app"])
def test_no_files_form_a_circle(package):
    try:
        TopologicalSorter(graph(package)).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_library_knows_nothing_of_the_demo():
    known = modules("app")
    assert not [name for name, path in modules("sgf_hub").items() if imports(path, known)]


@pytest.mark.parametrize("package", ["sgf_hub", "app"])
def test_few_files_stand_at_the_top(package):
    assert len(list((ROOT / package).glob("*.py"))) <= 8


def test_no_folder_is_crowded():
    crowded = {
        folder: count
        for package in ("sgf_hub", "app")
        for folder in (ROOT / package).rglob("*")
        if folder.is_dir() and (count := len([p for p in folder.glob("*.py") if p.name != "__init__.py"])) > 12
    }
    assert not crowded
