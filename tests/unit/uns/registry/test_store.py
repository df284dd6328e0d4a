"""The fold of `_schemas`: Confluent's records, deletes, and that compaction loses nothing that matters."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.compatibility import Level
from uns.registry.store import SchemaStore, Version, config_record, delete_record, removal_records, schema_record

Log = list[tuple[bytes, bytes | None]]


def _schema(name: str) -> str:
    return json.dumps({"type": "record", "name": name, "fields": []})


def _fold(log: Log) -> SchemaStore:
    store = SchemaStore()
    for key, value in log:
        store.apply(key, value)
    return store


def _compacted(log: Log) -> Log:
    """What compaction leaves in the end: the last record of each key, at its place, without tombstones."""
    last = {key: place for place, (key, _) in enumerate(log)}
    return [(key, value) for place, (key, value) in enumerate(log) if last[key] == place and value is not None]


def test_records_have_confluents_form() -> None:
    key, value = schema_record(Version("s", 1, 7, '"int"'))
    assert key == b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}'
    assert json.loads(value) == {"subject": "s", "version": 1, "id": 7, "schema": '"int"', "deleted": False}
    assert config_record(None, Level.FULL) == (
        b'{"keytype":"CONFIG","subject":null,"magic":0}',
        b'{"compatibilityLevel":"FULL"}',
    )
    assert delete_record("s", 2) == (
        b'{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}',
        b'{"subject":"s","version":2}',
    )


def test_a_topic_that_another_registry_wrote_is_read() -> None:
    store = _fold(
        [
            (b'{"keytype":"NOOP","magic":0}', None),
            (b'{"keytype":"CONFIG","subject":null,"magic":0}', b'{"compatibilityLevel":"FORWARD"}'),
            (
                b'{"keytype":"SCHEMA","subject":"p","version":1,"magic":1}',
                b'{"subject":"p","version":1,"id":4,"md5Bytes":"x","schemaType":"PROTOBUF","schema":"syntax","deleted":false}',
            ),
            (b'{"keytype":"MODE","subject":null,"magic":0}', b'{"mode":"READWRITE"}'),
            (b'{"keytype":"CONTEXT","tenant":"t","magic":0}', b"{}"),
            (b"no json", b"x"),
        ]
    )
    (one,) = store.versions("p")
    assert (one.id, one.type) == (4, "PROTOBUF")
    assert store.next_id() == 5, "an id stays taken, whatever has it"
    assert store.find("p", '"int"') is None
    assert store.level is Level.FORWARD
    assert store.unreadable == 2
    _, written = schema_record(replace(one, deleted=True))
    assert json.loads(written)["schemaType"] == "PROTOBUF", "what another registry wrote is kept"


def test_the_same_text_has_the_same_id_in_every_subject_whatever_its_spaces() -> None:
    store = _fold([schema_record(Version("a", 1, 3, _schema("T")))])
    assert store.id_of(json.dumps(json.loads(_schema("T")), indent=4)) == 3
    assert store.id_of(_schema("U")) is None


@given(st.lists(st.tuples(st.none() | st.binary(), st.none() | st.binary())))
def test_noise_on_the_topic_changes_nothing(log: Log) -> None:
    store = _fold(log)
    assert store == SchemaStore(unreadable=store.unreadable)


class Registered(RuleBasedStateMachine):
    """Any history of registering, deleting and configuring, written as the server writes it."""

    subjects = st.sampled_from(["a", "b"])

    def __init__(self) -> None:
        super().__init__()
        self.log: Log = []
        self.store = SchemaStore()
        self.meaning: dict[int, str] = {}

    def write(self, records: Log) -> None:
        self.log += records
        for key, value in records:
            self.store.apply(key, value)

    @rule(subject=subjects, schema=st.sampled_from("TUVW").map(_schema))
    def register(self, subject: str, schema: str) -> None:
        if self.store.find(subject, schema) is None:
            id_ = self.store.id_of(schema) or self.store.next_id()
            assert self.meaning.setdefault(id_, schema) == schema, "an id means one schema for ever"
            self.write([schema_record(Version(subject, self.store.next_version(subject), id_, schema))])

    @precondition(lambda self: self.store.names())
    @rule(data=st.data())
    def delete_version(self, data: st.DataObject) -> None:
        subject = data.draw(st.sampled_from(self.store.names()))
        one = data.draw(st.sampled_from(self.store.versions(subject)))
        self.write([schema_record(replace(one, deleted=True))])

    @precondition(lambda self: self.store.names())
    @rule(data=st.data())
    def delete_subject(self, data: st.DataObject) -> None:
        subject = data.draw(st.sampled_from(self.store.names()))
        self.write([delete_record(subject, self.store.versions(subject)[-1].version)])
        assert self.store.versions(subject) == []

    @precondition(lambda self: self.store.names(deleted=True))
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        subject = data.draw(st.sampled_from(self.store.names(deleted=True)))
        gone = [one for one in self.store.versions(subject, deleted=True) if one.deleted]
        self.write(removal_records(gone, self.store.highest_id))

    @rule(subject=st.none() | subjects, level=st.none() | st.sampled_from(list(Level)))
    def configure(self, subject: str | None, level: Level | None) -> None:
        self.write([config_record(subject, level)])

    @rule()
    def compact(self) -> None:
        """From here on only what compaction left is known, as after a restart."""
        self.log = _compacted(self.log)
        self.store = _fold(self.log)

    @invariant()
    def compaction_and_restart_lose_nothing(self) -> None:
        assert _fold(_compacted(self.log)) == self.store
        assert self.store.unreadable == 0


TestRegistered = Registered.TestCase
TestRegistered.settings = settings(max_examples=50, stateful_step_count=25)


SCHEMA_KEY = {"keytype": "SCHEMA", "subject": "p", "version": 1, "magic": 1}
SCHEMA = {"subject": "p", "version": 1, "id": 1, "schema": '"int"', "deleted": False}
POISON = {
    "no key": (None, b"{}"),
    "no JSON": (b"\xff", b"\xff"),
    "nested too deep": (b"[" * 100_000, b"{}"),
    "value nested too deep": (SCHEMA_KEY, b"[" * 100_000),
    "schema is no text": (SCHEMA_KEY, SCHEMA | {"schema": None}),
    "schema is no JSON": (SCHEMA_KEY, SCHEMA | {"schema": "{"}),
    "schema nested too deep": (SCHEMA_KEY, SCHEMA | {"schema": "[" * 100_000}),
    "schema is no Unicode": (SCHEMA_KEY, SCHEMA | {"schema": '"\ud800"'}),
    "version is a text": (SCHEMA_KEY | {"version": "1"}, SCHEMA),
    "version below nothing": (SCHEMA_KEY | {"version": -1}, SCHEMA),
    "id is a text": (SCHEMA_KEY, SCHEMA | {"id": "1"}),
    "id beyond a header": (SCHEMA_KEY, SCHEMA | {"id": 2**31}),
    "id is true": (SCHEMA_KEY, SCHEMA | {"id": True}),
    "subject is a list": (SCHEMA_KEY | {"subject": ["p"]}, SCHEMA),
    "subject is a number": (SCHEMA_KEY | {"subject": 5}, SCHEMA),
    "subject is no Unicode": (SCHEMA_KEY | {"subject": "\ud800"}, SCHEMA),
    "level of a number": ({"keytype": "CONFIG", "subject": 5, "magic": 0}, {"compatibilityLevel": "FULL"}),
    "level unknown": ({"keytype": "CONFIG", "subject": None, "magic": 0}, {"compatibilityLevel": "SOME"}),
    "highest id beyond all": ({"keytype": "NOOP", "magic": 0}, {"highestId": 10**30}),
    "delete of no version": (
        {"keytype": "DELETE_SUBJECT", "subject": "s", "magic": 0},
        {"subject": "s", "version": "1"},
    ),
}


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_record_is_passed_over_and_stops_nothing(name: str) -> None:
    key, value = (part if isinstance(part, bytes | None) else json.dumps(part).encode() for part in POISON[name])
    store = _fold([schema_record(Version("s", 1, 1, _schema("A"))), (key or b"", value)])
    assert store.unreadable == 1
    assert store.next_id() == 2
    assert store.level is Level.BACKWARD
    store.apply(*schema_record(Version("s", store.next_version("s"), store.next_id(), _schema("B"))))
    assert [(one.version, one.id, one.deleted) for one in store.versions("s")] == [(1, 1, False), (2, 2, False)]
    assert store.id_of(_schema("B")) == 2
    assert store.find("s", _schema("A")) is not None
    json.dumps(store.names(True)).encode()


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_leave_a_store_that_works(key: bytes, value: bytes) -> None:
    store = _fold([(key, value)])
    store.apply(*schema_record(Version("s", store.next_version("s"), store.next_id(), _schema("A"))))
    assert store.id_of(_schema("A")) is not None
