"""Verdicts: the level's direction and reach, words with a path, and that a yes means that data can be read."""

import contextlib
import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import source
from schemas.compatibility import InvalidSchema, Level, check, problems
from schemas.history import broken, problems_of, versions
from schemas.records import TYPES


def _record(**fields: Any) -> str:
    listed = [{"name": name, **(kind if isinstance(kind, dict) else {"type": kind})} for name, kind in fields.items()]
    return json.dumps({"type": "record", "name": "Thing", "fields": listed})


INT = _record(a="int")
PLUS_OPTIONAL = _record(a="int", b={"type": "int", "default": 0})
PLUS_REQUIRED = _record(a="int", b="int")
LONG = _record(a="long")


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"),
    [
        (INT, PLUS_OPTIONAL, True, True),
        (INT, PLUS_REQUIRED, False, True),
        (PLUS_REQUIRED, INT, True, False),
        (INT, LONG, True, False),
        (LONG, INT, False, True),
        (INT, _record(a="string"), False, False),
    ],
)
def test_levels_look_in_their_direction(old: str, new: str, backward: bool, forward: bool) -> None:
    assert (problems(new, {1: old}, Level.BACKWARD) == []) is backward
    assert (problems(new, {1: old}, Level.FORWARD) == []) is forward
    assert (problems(new, {1: old}, Level.FULL) == []) is (backward and forward)
    assert problems(new, {1: old}, Level.NONE) == []


@pytest.mark.parametrize("level", [Level.BACKWARD, Level.FORWARD, Level.FULL])
def test_transitive_reaches_every_version(level: Level) -> None:
    strange = _record(a="string")
    assert problems(INT, {1: strange, 4: INT}, level) == []
    found = problems(INT, {1: strange, 4: INT}, Level(f"{level}_TRANSITIVE"))
    assert found
    assert all("version 1 " in problem for problem in found)


def test_a_problem_says_what_and_where() -> None:
    (problem,) = problems(PLUS_REQUIRED, {7: INT}, Level.BACKWARD)
    assert "version 7" in problem
    assert "reader_field_missing_default_value" in problem
    assert "/fields/1" in problem


@pytest.mark.parametrize(
    "text", ["", "{", "1", '"nothing"', '{"type": "record"}', '{"type": "enum", "name": "E"}', "[]x"]
)
def test_what_is_no_schema_is_said_to_be_none(text: str) -> None:
    with pytest.raises(InvalidSchema):
        check(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["record", "int", "array", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "fields", "items", "symbols", "values", "default", "size", "logicalType"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@pytest.mark.filterwarnings("ignore::avro.errors.IgnoredLogicalType")
@given(_JSON)
def test_any_json_is_a_schema_or_invalid(value: Any) -> None:
    with contextlib.suppress(InvalidSchema):
        check(json.dumps(value))


def test_an_old_version_that_avro_cannot_parse_is_a_problem_not_a_crash() -> None:
    (problem,) = problems(INT, {3: 'syntax = "proto3";'}, Level.BACKWARD)
    assert "version 3 cannot be compared" in problem


_TYPES: dict[str, Any] = {"int": 1, "long": 2**40, "double": 0.5, "string": "x", "boolean": True}
_FIELDS = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.sampled_from(sorted(_TYPES)), st.booleans()), max_size=4
)


def _drawn(fields: dict[str, tuple[str, bool]]) -> str:
    return _record(
        **{
            name: {"type": kind, **({"default": _TYPES[kind]} if default else {})}
            for name, (kind, default) in fields.items()
        }
    )


@given(_FIELDS, _FIELDS)
def test_the_verdict_agrees_with_what_fastavro_can_read(
    old: dict[str, tuple[str, bool]], new: dict[str, tuple[str, bool]]
) -> None:
    writer, reader = json.loads(_drawn(old)), json.loads(_drawn(new))
    written = io.BytesIO()
    fastavro.schemaless_writer(written, writer, {name: _TYPES[kind] for name, (kind, _) in old.items()})
    written.seek(0)
    try:
        fastavro.schemaless_reader(written, writer, reader)
        readable = True
    except fastavro.read.SchemaResolutionError:
        readable = False
    assert (problems(json.dumps(reader), {1: json.dumps(writer)}, Level.BACKWARD) == []) is readable


# -- our own records: this is what keeps an incompatible change out ---------------------------------------------


def test_every_schema_is_published_and_reads_what_was_published() -> None:
    assert broken() == []


def test_a_change_that_was_not_published_says_how() -> None:
    changed = json.loads(source("Tick"))
    changed["fields"].append({"name": "zone", "type": ["null", "string"], "default": None})
    (problem,) = problems_of("Tick", json.dumps(changed))
    assert f"schemas/published/Tick/{max(versions('Tick')) + 1}.avsc" in problem


def test_a_change_that_breaks_old_data_is_found() -> None:
    changed = json.loads(source("Tick"))
    changed["fields"].append({"name": "zone", "type": "string"})
    assert any("cannot read what version 1 wrote" in problem for problem in problems_of("Tick", json.dumps(changed)))


@pytest.mark.parametrize("name", TYPES)
def test_versions_are_numbered_from_one_without_a_gap(name: str) -> None:
    assert list(versions(name)) == list(range(1, len(versions(name)) + 1))
