"""Selectors: jmespath itself is the judge, and any document has an answer or a reason."""

import json
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.message import said
from connectors.kit.selector import MISSING, BadSelection, Selector
from connectors.kit.shape import Shape
from topology.namespace.path import Path
from uns.testing.text import json_documents

KEYS = ("a", "b", "switch:0", "values", "t")
DOCUMENTS = json_documents(KEYS)
EXPRESSIONS = [
    "a", "a.b", "a[0].b", "a[-1]", "@", "[0]", '"switch:0".a', "a.b.t[1]",
    "values[*].a", "values[?a > `1`]", "a || b", "max(values)", "sum(values)", "avg(a)", "ceil(a)", "abs(b)",
    "to_number(a)", "to_string(@)", "sort(values)", "sort_by(values, &a)", "max_by(values, &t)", "join(',', values)",
    "length(a)", "keys(@)", "{x: a, y: b}", "reverse(a)", "starts_with(a, 'x')", "merge(a, b)", "map(&a, values)",
]  # fmt: skip


@settings(max_examples=300)
@given(text=st.sampled_from(EXPRESSIONS), document=DOCUMENTS)
def test_a_selector_finds_what_jmespath_finds(text: str, document: Any) -> None:
    try:
        found = Selector(text).find(document)
    except BadSelection:
        with pytest.raises((ValueError, TypeError, ArithmeticError)):
            jmespath.search(text, document)
        return
    assert repr(jmespath.search(text, document)) == repr(None if found is MISSING else found)


@pytest.mark.parametrize(("text", "chained"), [("a.b", True), ("a[0].b", True), ("@", True), ("a[*]", False), ("a || b", False)])  # fmt: skip
def test_a_plain_chain_takes_no_detour(text: str, chained: bool) -> None:
    assert (Selector(text).chain is not None) == chained


def test_a_null_at_a_name_is_one_and_nothing_is_none() -> None:
    assert Selector("a.b").find({"a": {"b": None}}) is None
    documents: list[Any] = [{"a": {}}, {}, [], 1, {"a": [1]}]
    for document in documents:
        assert Selector("a.b").find(document) is MISSING
    assert Selector("a || b").find({"a": None}) is MISSING


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("switch:0", "double quotes"),
        ("", "no JMESPath"),
        ("a[", "no JMESPath"),
        ("values[?nosuch(a)]", r"no function nosuch\(\)"),
        ("max(a, b)", "takes 1 arguments, not 2"),
        ("a.{x: join(b)}", "takes 2 arguments, not 1"),
    ],
)
def test_what_is_no_expression_is_said_before_anything_is_read(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Selector(text)


@settings(max_examples=300)
@given(text=st.sampled_from(EXPRESSIONS), document=DOCUMENTS)
def test_any_document_gives_an_answer_wherever_a_selector_stands(text: str, document: Any) -> None:
    path = Path.parse("acme/dallas")
    payload = json.dumps(document).encode()
    for options in ({"select": text}, {"fields": {"A": text}}, {"at": text}, {"quality": text}, {"name": text, "value": "a"}, {"name": "a", "value": text}):  # fmt: skip
        said(Shape.model_validate({"payload": "object", **options}), "origin", path, payload, 1_795_413_600_000_000)
