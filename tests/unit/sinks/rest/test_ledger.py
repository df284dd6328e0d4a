"""The ledger: what it knows, also after a restart at any point."""

from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sinks.rest.ledger import ObjectLedger, RemoteObject


def test_an_intent_survives_and_is_unclear_until_settled(tmp_path: Path) -> None:
    first = ObjectLedger(tmp_path / "new" / "folder")
    assert first.find(0, "a") is None
    first.intend(0, "a")
    second = ObjectLedger(tmp_path / "new" / "folder")  # the first was killed: nobody closed it
    assert second.find(0, "a") == RemoteObject(None, -1, True)
    second.settle(0, "a", "17", 3)
    second.close()
    third = ObjectLedger(tmp_path / "new" / "folder")
    assert third.find(0, "a") == RemoteObject("17", 3, False)
    assert third.find(1, "a") is None, "another request's objects are other objects"
    third.intend(0, "a")
    assert third.find(0, "a") == RemoteObject("17", 3, True), "an intent forgets nothing"
    third.clear(0, "a")
    assert third.find(0, "a") == RemoteObject("17", 3, False)
    third.clear(0, "never seen")
    assert third.find(0, "never seen") is None
    third.close()


KEYS = st.tuples(st.integers(0, 1), st.sampled_from(["a", "b", "ä#:1", "' OR 1=1"]))


def test_it_equals_a_dictionary(tmp_path: Path) -> None:
    class Machine(RuleBasedStateMachine):
        count = 0

        @initialize()
        def begin(self) -> None:
            Machine.count += 1
            self.folder = tmp_path / str(Machine.count)
            self.ledger = ObjectLedger(self.folder)
            self.model: dict[tuple[int, str], RemoteObject] = {}

        @rule(key=KEYS)
        def intend(self, key: tuple[int, str]) -> None:
            self.ledger.intend(*key)
            self.model[key] = self.model.get(key, RemoteObject(None, -1, True))._replace(unclear=True)

        @rule(
            key=KEYS,
            remote_id=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
            revision=st.integers(0, 2**31),
        )
        def settle(self, key: tuple[int, str], remote_id: str | None, revision: int) -> None:
            self.ledger.settle(*key, remote_id, revision)
            self.model[key] = RemoteObject(remote_id, revision, False)

        @rule(key=KEYS)
        def clear(self, key: tuple[int, str]) -> None:
            self.ledger.clear(*key)
            if key in self.model:
                self.model[key] = self.model[key]._replace(unclear=False)

        @rule()
        def restart(self) -> None:
            self.ledger.close()
            self.ledger = ObjectLedger(self.folder)

        def teardown(self) -> None:
            for request in (0, 1):
                for name in ("a", "b", "ä#:1", "' OR 1=1"):
                    assert self.ledger.find(request, name) == self.model.get((request, name))
            self.ledger.close()

    run_state_machine_as_test(Machine, settings=settings(max_examples=15, stateful_step_count=20, deadline=None))
