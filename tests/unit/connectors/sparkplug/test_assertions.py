"""Every assertion of the specification that concerns a host is named by a test that holds us to it."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.unit.connectors.sparkplug.assertions import ASSERTIONS, PREFIX

TESTS = Path(__file__).parents[3]
FOLDERS = (TESTS / "unit" / "connectors" / "sparkplug", TESTS / "integration" / "connectors" / "sparkplug")


@cache
def named() -> set[str]:
    """The ids that the docstrings of tests name, a line each."""
    found = set[str]()
    for file in (file for folder in FOLDERS for file in sorted(folder.glob("test_*.py"))):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                lines = (ast.get_docstring(node) or "").splitlines()
                found |= {line.strip() for line in lines if line.strip().startswith(PREFIX)}
    return found


def test_each_is_listed_once() -> None:
    assert len(ASSERTIONS) == len(set(ASSERTIONS)) > 90


@pytest.mark.parametrize("assertion", ASSERTIONS)
def test_it_is_named_by_a_test(assertion: str) -> None:
    assert assertion in named()


def test_no_test_names_what_is_not_listed() -> None:
    assert named() <= set(ASSERTIONS)
