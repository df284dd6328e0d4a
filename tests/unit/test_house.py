"""The house itself: no circles, production stands alone, small files, short functions, low complexity. All computed."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from radon.complexity import cc_visit

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "topology", "connectors", "processors", "sinks", "uns")
NOT_PRODUCTION = ("uns.local", "uns.demo", "uns.testing")
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
COMPLEXITY_MEAN_MAX = 3.95
Graph = dict[str, set[str]]

PRODUCTION_IMPORTS: set[tuple[str, str]] = {
    # These three commands start what they are named for.
    ("uns.cli.demo", "uns.demo.run"),
    ("uns.cli.demo", "uns.demo.summary"),
    ("uns.cli.demo", "uns.local.folder"),
    ("uns.cli.doctor", "uns.local.doctor"),
    ("uns.cli.up", "uns.local.folder"),
    ("uns.cli.up", "uns.local.up"),
}

# What stands today and is being mended: remove an entry with its mending; a test fails when one is no longer needed.
LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()


@cache
def modules() -> dict[str, Path]:
    """Dotted name → file, of every module of the packages."""
    found = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


@cache
def imports() -> Graph:
    """Module → modules of ours that it names in an import, wherever it stands: in a function and for types, too."""
    return {name: set(_named(name)) - {name} for name in modules()}


def _named(name: str) -> Iterator[str]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name}: imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in modules():
                    yield inner
                elif node.module in modules():
                    yield node.module


def room(module: str) -> str:
    """The folder below a package that a module stands in; a module directly in a package is a room of its own."""
    inside = module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]
    return ".".join(inside.split(".")[:2]) if "." in inside else module


def of_rooms(graph: Graph) -> Graph:
    """Which room names which; a room's inside is its own affair."""
    rooms: Graph = {}
    for module, targets in graph.items():
        rooms.setdefault(room(module), set()).update({room(target) for target in targets} - {room(module)})
    return rooms


def circles(graph: Graph) -> set[frozenset[str]]:
    """Sets of names that all reach each other."""
    reached = {name: _reached(graph, name) for name in graph}
    return {
        frozenset({name, *(other for other in reached[name] if name in reached.get(other, ()))})
        for name in graph
        if name in reached[name]
    }


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for target in graph.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def functions(name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}:{node.name}", node


def production(name: str) -> bool:
    return not name.startswith(NOT_PRODUCTION)


def test_the_checks_look_at_something_and_see_what_is_wrong() -> None:
    assert len(modules()) > 150
    assert sum(map(len, imports().values())) > 500
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == {frozenset("abc")}
    assert circles({"a": {"b"}, "b": set()}) == set()


def test_no_circle_between_modules() -> None:
    assert circles(imports()) == set()


def test_no_circle_between_rooms() -> None:
    assert circles(of_rooms(imports())) == set()


def test_production_imports_neither_the_embedded_services_nor_the_demo_nor_the_suites() -> None:
    wrong = {
        (name, target)
        for name, targets in imports().items()
        if production(name)
        for target in targets
        if not production(target)
    }
    assert wrong == PRODUCTION_IMPORTS


def test_no_file_is_long() -> None:
    files = [*modules().values(), *sorted((ROOT / "tests").rglob("*.py"))]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {name for name, lines in lengths.items() if lines > LINES_MAX} == LONG_FILES


def test_no_function_is_long_without_a_reason() -> None:
    """A reason stands in its docstring and begins with `Long:`."""
    wrong = {
        where
        for name in modules()
        for where, node in functions(name)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
        and "Long:" not in (ast.get_docstring(node) or "")
    }
    assert wrong == LONG_FUNCTIONS


def test_complexity_stays_low() -> None:
    blocks = [block for file in modules().values() for block in cc_visit(file.read_text(encoding="utf-8"))]
    assert len(blocks) > 1000
    assert sum(block.complexity for block in blocks) / len(blocks) <= COMPLEXITY_MEAN_MAX


@pytest.mark.parametrize("name", PACKAGES)
def test_every_module_says_its_purpose(name: str) -> None:
    silent = [
        module
        for module in modules()
        if module.partition(".")[0] == name and modules()[module].stat().st_size and not ast.get_docstring(tree(module))
    ]
    assert silent == []


def test_nothing_waits_by_wait_for() -> None:
    """Until Python 3.12 it swallows a cancellation that meets what it waits for: what is stopped then goes on for ever."""
    waits = [name for name, file in modules().items() if "asyncio.wait_for(" in file.read_text(encoding="utf-8")]
    assert not waits, "use `async with asyncio.timeout(…)`"
