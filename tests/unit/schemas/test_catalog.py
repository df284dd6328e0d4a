"""The schemas as composed: what is registered is, byte for byte, what was published."""

import importlib.resources
import json
from typing import Any

import msgspec
import pytest

from schemas.catalog import source
from schemas.derived import DERIVED_TYPES
from schemas.envelope import Derived
from schemas.history import versions
from schemas.records import RAW_TYPES, TYPES


def fields_said(name: str) -> list[dict[str, Any]]:
    text = importlib.resources.files("schemas").joinpath("avro", f"{name}.avsc").read_text(encoding="utf-8")
    fields: list[dict[str, Any]] = json.loads(text)["fields"]
    return fields


SHARED = [field["name"] for field in fields_said("Derived")]


@pytest.mark.parametrize("name", TYPES)
def test_the_composed_text_is_the_newest_published_one_byte_for_byte(name: str) -> None:
    published = versions(name)
    assert source(name) == published[max(published)]


@pytest.mark.parametrize("name", [kind.__name__ for kind in DERIVED_TYPES])
def test_a_derived_record_begins_with_the_shared_fields_and_says_none_of_their_types_again(name: str) -> None:
    assert [field["name"] for field in json.loads(source(name))["fields"]][: len(SHARED)] == SHARED
    for field in fields_said(name):
        assert ("type" in field) is (field["name"] not in SHARED), field


@pytest.mark.parametrize("name", TYPES)
def test_schema_and_type_have_the_same_fields(name: str) -> None:
    said = {field["name"] for field in json.loads(source(name))["fields"]}
    assert {field.encode_name for field in msgspec.structs.fields(TYPES[name])} == said


def test_the_shared_fields_are_those_of_the_type() -> None:
    assert tuple(SHARED) == Derived.__struct_fields__


def test_there_is_a_file_for_every_record_and_none_besides() -> None:
    folder = importlib.resources.files("schemas") / "avro"
    assert {entry.name for entry in folder.iterdir()} == {f"{name}.avsc" for name in ("Derived", *TYPES)}


def test_every_derived_class_has_one_type_and_no_raw_record_is_in_one() -> None:
    classes = [kind.message_class for kind in DERIVED_TYPES]
    assert len(set(classes)) == len(classes)
    assert all(kind.message_class == "raw" for kind in RAW_TYPES)
    assert "raw" not in classes
