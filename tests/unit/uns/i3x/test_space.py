"""The address space: every object has a type, a way up and down, and an id of its own."""

import json

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.json_schema import of_record
from schemas.records import DERIVED_TYPES
from schemas.text import to_plain
from tests.harness.line_logs import plant
from tests.harness.records import EXAMPLES, PATH
from uns.i3x.space import OTHER_TAGS_MAX, Space, tag_id
from uns.i3x.types import OTHER_TAG, REVERSE, namespaces, object_types, relationship_types


def test_every_object_has_a_type_and_every_edge_its_reverse() -> None:
    space = Space(plant())
    elements = list(space)
    assert len(elements) == len({each.id for each in elements}) > 30
    edges = [(each.id, relation, other.id) for each in elements for relation, other in space.edges(each)]
    assert len(edges) > 60
    assert {(there, REVERSE[relation], here) for here, relation, there in edges} == set(edges)
    assert [each for each in elements if each.type_id not in space.types] == []
    assert [each.id for each in elements if each.parent is None] == ["acme"]


def test_types_belong_to_namespaces_and_their_schemas_are_schemas() -> None:
    model = plant()
    known = {each["uri"] for each in namespaces(model)}
    kinds = object_types(model, tuple(kind.__name__ for kind in DERIVED_TYPES)).values()
    assert {kind.namespace for kind in kinds} | {each["namespaceUri"] for each in relationship_types()} <= known
    for kind in kinds:
        Draft202012Validator.check_schema(kind.schema)
    volume = next(kind for kind in kinds if kind.id == "type:equipment:filler:FillVolume")
    assert volume.schema["type"] == "number"


def test_every_record_fits_the_schema_made_of_its_avro() -> None:
    assert len(EXAMPLES) > 20
    for record in EXAMPLES:
        plain = json.loads(json.dumps(to_plain(record)))
        name = plain.pop("type")
        Draft202012Validator(of_record(name)).validate(plain)
    assert not Draft202012Validator(of_record("State")).is_valid({"state": 7})


def test_a_tag_that_the_model_does_not_name_becomes_an_object_as_it_is_seen() -> None:
    space = Space(plant())
    before = len(space)
    space.see(PATH, ["Speed", "State", "Speed"])
    assert len(space) == before + 1
    speed = space.get(tag_id(PATH, "Speed"))
    assert speed is not None
    assert speed.type_id == OTHER_TAG
    assert speed in space.components(PATH)
    space.see("acme/nowhere", ["Speed"])
    assert len(space) == before + 1


def test_a_machine_cannot_have_tags_without_end() -> None:
    space = Space(plant())
    space.see(PATH, (f"t{number}" for number in range(OTHER_TAGS_MAX + 500)))
    assert len(space.components(PATH)) == OTHER_TAGS_MAX


@given(st.lists(st.text(max_size=20), unique=True, max_size=5))
def test_ids_of_tags_differ_and_hold_nothing_that_an_id_may_not(names: list[str]) -> None:
    ids = [tag_id(PATH, name.encode("utf-8", "replace").decode()) for name in names]
    kept = {name.encode("utf-8", "replace").decode() for name in names}
    assert len(set(ids)) == len(kept)
    for id_ in ids:
        assert id_ == id_.strip()
        assert id_.isprintable()
