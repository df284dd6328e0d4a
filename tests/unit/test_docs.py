"""What the pages say is there, is there."""

import re
from pathlib import Path

import pytest

from uns.model.components import SINKS, names

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for folder in (".", "docs", "connectors", "sinks")
    for page in ((ROOT / folder).glob("*.md") if folder == "." else (ROOT / folder).rglob("*.md"))
)
SETTING = re.compile(r"`(UNS_[A-Z_]+)`")


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))


def test_there_are_pages_and_links() -> None:
    assert len(PAGES) > 10
    assert sum(len(links(page)) for page in PAGES) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        assert target.startswith("http") or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_settings_on_the_operations_page_exist() -> None:
    from uns.engine.config import EngineConfig
    from uns.runtime.settings import Settings

    known = {f"UNS_{name.upper()}" for name in Settings.model_fields}
    known |= {f"UNS_ENGINE_{name.upper()}" for name in EngineConfig.model_fields}
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    named = SETTING.findall((ROOT / "docs" / "operations.md").read_text(encoding="utf-8"))
    assert len(set(named)) > 5
    for name in named:
        assert name in known or name in compose or name == "UNS_ENGINE_", name


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def paths(page: Path) -> set[str]:
    """Files and folders of ours that a page names in full; a toy one of docs/adding.md stands in tests/adding."""
    named = re.findall(
        r"`((?:bench|connectors|docs|processors|schemas|sinks|tests|topology|uns)/[\w/.-]+)`",
        page.read_text(encoding="utf-8"),
    )
    return {path for path in named if "toy" not in path.lower()}


def test_paths_that_pages_name_exist() -> None:
    gone = {(page.name, path) for page in PAGES for path in paths(page) if not (ROOT / path).exists()}
    assert gone == set()
    assert len(paths(ROOT / "docs" / "architecture.md")) > 40
    assert len(paths(ROOT / "CONTRIBUTING.md")) > 5


def test_a_file_on_the_architecture_page_is_in_the_folder_of_its_step() -> None:
    bare = 0
    for folder, text in re.findall(r"^\| \d+ \| `([\w/]+)`.*? \| (.*) \|$", ARCHITECTURE, re.MULTILINE):
        for file in re.findall(r"`(\w+\.py)`", text):
            assert (ROOT / folder / file).exists(), f"{folder}/{file}"
            bare += 1
    assert bare > 5


def test_every_folder_has_a_place_on_the_architecture_page() -> None:
    folders = [
        file.parent.relative_to(ROOT)
        for package in ("connectors", "processors", "sinks", "topology", "schemas", "uns")
        for file in (ROOT / package).glob("*/__init__.py")
    ]
    assert len(folders) > 20
    assert {str(folder) for folder in folders if f"`{folder}" not in ARCHITECTURE} == set()


def test_what_is_decided_where_is_there() -> None:
    rows = re.findall(r"^\| .* \| `(\w+)` in `([\w/.]+)` \|$", ARCHITECTURE, re.MULTILINE)
    assert len(rows) >= 10
    for name, file in rows:
        defined = re.search(rf"^ *(?:class|def) {name}\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert defined, f"{name} in {file}"


def test_the_guarantees_page_names_every_torture_case() -> None:
    from tests.torture.cases import CASES

    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8").partition("| What happens | Cases |")[2]
    table = text.partition("\n\n")[0]
    assert CASES
    assert set(re.findall(r"`([a-z-]+)`", table)) == set(CASES)
    assert set(re.findall(r"`([a-z-]+)`°", table)) == {name for name, case in CASES.items() if case.fast}


def test_the_way_of_a_sample_has_each_step_once() -> None:
    steps = re.findall(r"^\| (\d+) \|", ARCHITECTURE, re.M)
    assert len(steps) > 8
    assert steps == [str(number) for number in range(1, len(steps) + 1)]


REGISTRIES = re.compile("|".join(("py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.(org|com)", "maven" + r"\.org", "golang" + r"\.org", "deb" + r"ian\.org", "crates" + r"\.io")))  # fmt: skip


def test_the_page_of_sinks_has_each_once() -> None:
    told = re.findall(
        r"^\| \[(\w+)\]\(\.\./sinks/", (ROOT / "docs" / "sinks.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(told) == sorted(names(SINKS))


def test_no_page_names_a_registry_by_its_host() -> None:
    """Where packages come from is the reader's affair: a mirror, for many."""
    pages = [*PAGES, ROOT / "constraints.txt", ROOT / "pyproject.toml", ROOT / "Makefile", ROOT / "Dockerfile"]
    named = {page.name: found[0] for page in pages if (found := REGISTRIES.search(page.read_text(encoding="utf-8")))}
    assert named == {}
    assert REGISTRIES.search("https://" + "py" + "pi.org/simple")
