"""The ledger: what it knows, also after a restart at any point."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sinks.rest.ledger import ObjectLedger, RemoteObject


def ledger(folder: Path) -> ObjectLedger:
    return ObjectLedger(folder, ["first", "second"])


def test_an_intent_survives_and_is_unclear_until_settled(tmp_path: Path) -> None:
    first = ledger(tmp_path / "new" / "folder")
    assert first.find("first", "a") is None
    first.intend("first", "a", 2, 7.5)
    second = ledger(tmp_path / "new" / "folder")  # the first was killed: nobody closed it
    assert second.find("first", "a") == RemoteObject(None, -1, 7.5, 2)
    second.settle("first", "a", "17", 3)
    second.close()
    third = ledger(tmp_path / "new" / "folder")
    assert third.find("first", "a") == RemoteObject("17", 3)
    assert third.find("second", "a") is None, "another request's objects are other objects"
    third.intend("first", "a", 4, 8.5)
    assert third.find("first", "a") == RemoteObject("17", 3, 8.5, 4), "an intent forgets nothing"
    third.clear("first", "a")
    assert third.find("first", "a") == RemoteObject("17", 3, None, 4)
    third.clear("first", "never seen")
    assert third.find("first", "never seen") is None
    third.close()


@pytest.mark.parametrize(
    ("known", "there"),
    [
        (RemoteObject("1", 0), True),
        (RemoteObject("1", -1), True),
        (RemoteObject("1", 2, cancelled=True), True),
        (RemoteObject(None, 0), True),
        (RemoteObject(None, -1), False),
        (RemoteObject(None, 3, cancelled=True), False),
        (RemoteObject(None, -1, 7.0), False),
        (RemoteObject(None, 3, 7.0, cancelled=True), False),
    ],
)
def test_what_is_surely_there(known: RemoteObject, there: bool) -> None:
    assert known.there is there


def test_a_ledger_of_numbered_requests_is_taken_over(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "objects.sqlite", isolation_level=None)
    old.executescript(
        "CREATE TABLE object (request INTEGER NOT NULL, natural_id TEXT NOT NULL, remote_id TEXT, revision INTEGER NOT NULL,"
        " unclear INTEGER NOT NULL, PRIMARY KEY (request, natural_id)) WITHOUT ROWID;"
        "INSERT INTO object VALUES (0, 'a', '17', 3, 0), (1, 'a', NULL, -1, 1);"
    )
    old.close()
    for _ in range(2):
        taken = ledger(tmp_path)
        assert taken.find("first", "a") == RemoteObject("17", 3)
        assert taken.find("second", "a") == RemoteObject(None, -1, 0.0)
        taken.close()


KEYS = st.tuples(st.sampled_from(["first", "second"]), st.sampled_from(["a", "b", "ä#:1", "' OR 1=1"]))


def test_it_equals_a_dictionary(tmp_path: Path) -> None:
    class Machine(RuleBasedStateMachine):
        count = 0

        @initialize()
        def begin(self) -> None:
            Machine.count += 1
            self.folder = tmp_path / str(Machine.count)
            self.ledger = ledger(self.folder)
            self.model: dict[tuple[str, str], RemoteObject] = {}

        @rule(key=KEYS, revision=st.integers(0, 2**31), now=st.floats(0, 1e10))
        def intend(self, key: tuple[str, str], revision: int, now: float) -> None:
            self.ledger.intend(*key, revision, now)
            known = self.model.get(key, RemoteObject(None, -1))
            self.model[key] = known._replace(unclear_since=now, intended=revision)

        @rule(
            key=KEYS,
            remote_id=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
            revision=st.integers(0, 2**31),
            cancelled=st.booleans(),
        )
        def settle(self, key: tuple[str, str], remote_id: str | None, revision: int, cancelled: bool) -> None:
            self.ledger.settle(*key, remote_id, revision, cancelled)
            self.model[key] = RemoteObject(remote_id, revision, cancelled=cancelled)

        @rule(key=KEYS)
        def clear(self, key: tuple[str, str]) -> None:
            self.ledger.clear(*key)
            if key in self.model:
                self.model[key] = self.model[key]._replace(unclear_since=None)

        @rule()
        def restart(self) -> None:
            self.ledger.close()
            self.ledger = ledger(self.folder)

        def teardown(self) -> None:
            for request in ("first", "second"):
                for name in ("a", "b", "ä#:1", "' OR 1=1"):
                    assert self.ledger.find(request, name) == self.model.get((request, name))
            self.ledger.close()

    run_state_machine_as_test(Machine, settings=settings(max_examples=15, stateful_step_count=20, deadline=None))
