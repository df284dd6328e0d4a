"""Packed records are read by name: by a release with other types and fields than the one that packed them."""

import random
import zlib
from collections.abc import Mapping
from typing import Any, get_type_hints

import pytest

from processors.output import columns
from processors.output.identity import parse
from processors.output.words import DICTIONARY
from schemas.records import DERIVED_TYPES, Derived, Production, State
from tests.harness.line_logs import CELL, Run
from tests.harness.line_scenarios import scenario


def told() -> list[tuple[str, Derived]]:
    newest = {record.natural_id: record for record in Run().feed(scenario(random.Random(20)).punctual()).records}
    return [
        (parse(natural)[0], record)
        for natural, record in newest.items()
        if record.message_class != "current" and record.path == CELL
    ]


def rows(data: bytes, dropped: dict[str, int] | None = None) -> dict[tuple[str, int], dict[str, Any]]:
    unpacked = columns.unpack(data, {} if dropped is None else dropped)
    return {(row.kind, row.content["started_at"]): row.content for row in unpacked}


def release(patch: pytest.MonkeyPatch, types: Mapping[str, type[Derived]]) -> None:
    """As if these were all derived types there are."""
    fields = {
        cls: tuple(name for name in cls.__struct_fields__ if name not in columns._SHARED) for cls in types.values()
    }
    patch.setattr(columns, "_TYPES", types)
    patch.setattr(columns, "FIELDS", fields)
    nested = {cls: {n: h for n, h in get_type_hints(cls).items() if columns._holds_records(h)} for cls in fields}
    patch.setattr(columns, "_NESTED", nested)


def test_what_is_packed_comes_back() -> None:
    records = told()
    assert len(records) > 100
    unpacked = rows(columns.pack(records))
    for kind, record in records:
        content = unpacked[kind, record.started_at]
        assert content == {name: getattr(record, name) for name in columns.FIELDS[type(record)]}


class NewProduction(Derived, frozen=True, gc=False, kw_only=True):
    """As a later release may have it: a field more, in another order, and one less."""

    message_class = "production"

    downgraded: int = 3
    scrap: int
    good: int
    resets: int
    order: str | None
    product: str | None


class Fresh(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "state"


def test_a_release_with_a_type_before_others_and_other_fields_loads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    records, dropped = told(), dict[str, int]()
    data = columns.pack(records)
    classes: tuple[type[Derived], ...] = (Fresh, *reversed(DERIVED_TYPES))
    types = {cls.__name__: cls for cls in classes} | {"Production": NewProduction}
    release(monkeypatch, types)
    unpacked = rows(data, dropped)
    productions = [record for _, record in records if isinstance(record, Production)]
    assert len(productions) > 20
    for production in productions:
        content = unpacked["production", production.started_at]
        assert "rework" not in content
        loaded = NewProduction(id="", path="", definition="", inputs=production.inputs, **content)
        assert (loaded.good, loaded.scrap, loaded.downgraded) == (production.good, production.scrap, 3)
    for kind, record in records:
        if isinstance(record, State):
            assert unpacked[kind, record.started_at]["state"] == record.state
    assert dropped == {}


def test_records_of_a_type_that_is_gone_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    records, dropped = told(), dict[str, int]()
    data = columns.pack(records)
    release(monkeypatch, {cls.__name__: cls for cls in DERIVED_TYPES if cls is not Production})
    unpacked = rows(data, dropped)
    gone = sum(isinstance(record, Production) for _, record in records)
    assert dropped == {"Production": gone}
    assert gone > 20
    assert len(unpacked) == len(records) - gone


def test_the_words_are_frozen() -> None:
    assert zlib.adler32(DICTIONARY) == ADLER, "what is on disk can only be read with the words it was packed with"


ADLER = 976920842
