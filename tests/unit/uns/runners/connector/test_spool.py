"""The spool: on disk before Kafka is asked, with sequences and a ledger that survive the death of the process."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connectors.base import Safe
from topology.namespace.path import Path as PlantPath
from uns.errors import ServiceError
from uns.runners.connector.ledger import FILE, FOLDER, Ledger, read_ledger, read_ledgers
from uns.runners.connector.packing import SAMPLES_MAX
from uns.runners.connector.spool import PARTS_MAX, ROW_BYTES, Spool, SpoolEntry, SpoolError, read_cursor

A, B = "acme/dallas/packaging/line-1/filler", "acme/dallas/packaging/line-1/capper"


def entry(value: bytes = b"x", units: int = 1, path: str | None = A, quarantine: str = "") -> SpoolEntry:
    key = path.encode() if path else None
    return SpoolEntry("raw", 0, key, value, (("name", b"\x00\xff"),), units, quarantine)


def size(*entries: SpoolEntry) -> int:
    """What the spool counts: values, headers, and a bit for the rest of the row."""
    return sum(len(one.value) + len(msgspec.msgpack.encode(one.headers)) + ROW_BYTES for one in entries)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / FOLDER / "plc"


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    with contextlib.closing(Spool(folder, 1_000_000)) as found:
        yield found


def test_entries_come_out_as_they_went_in_and_in_order(spool: Spool) -> None:
    entries = [entry(b"1"), entry(b"", 7, None, "bad_json"), entry(bytes(range(256)), 3, B)]
    ids = spool.append(entries[:2], 8, {}, {}) + spool.append(entries[2:], 3, {}, {})
    assert ids == sorted(set(ids))
    assert [row.entry for row in spool.read(0, 10)] == entries
    assert [row.id for row in spool.read(0, 2)] == ids[:2]
    assert [row.entry for row in spool.read(ids[0], 10)] == entries[1:]
    assert (spool.bytes, spool.pending) == (size(*entries), 11)


def test_the_ledger_says_what_became_of_everything(spool: Spool) -> None:
    one, two, three = spool.append(
        [entry(units=5), entry(quarantine="bad_json"), entry(units=4)], 13, {"unchanged": 3}, {}
    )
    assert spool.ledger() == Ledger(13, 0, {"unchanged": 3}, pending=10)
    spool.delivered([one, two])
    spool.delivered([one, 999])  # a second confirmation, and one of nothing, change nothing
    assert spool.ledger() == Ledger(13, 5, {"unchanged": 3}, {"bad_json": 1}, pending=4)
    assert spool.drop_oldest(0, 1) == [three]
    assert spool.ledger() == Ledger(13, 5, {"unchanged": 3}, {"bad_json": 1}, {"spool_full": 4}, 0)
    assert spool.ledger().lost == 0


def test_drop_oldest_frees_what_is_wanted_and_spares_what_kafka_was_given(spool: Spool) -> None:
    ids = spool.append([entry(b"x" * 10_000) for _ in range(10)], 10, {}, {})
    assert spool.drop_oldest(ids[2], 25_000) == ids[3:6]
    assert [row.id for row in spool.read(0, 99)] == ids[:3] + ids[6:]
    assert spool.bytes == 7 * size(entry(b"x" * 10_000))
    assert spool.drop_oldest(ids[-1], 25_000) == []


def test_parts_take_the_place_of_an_entry_with_its_units_and_their_sequences(folder: Path) -> None:
    spool = Spool(folder, 1_000_000)
    first, second = spool.append([entry(b"abc", 3), entry(b"last")], 4, {}, {})
    assert spool.next_sequence(A) == 1
    parts = [entry(b"a"), entry(b"bc", 2)]
    ids = spool.replace(first, *parts)
    assert ids == [first, first + 1]
    assert spool.replace(ids[1], entry(b"b"), entry(b"c")) == [first + 1, first + 2]
    assert [row.entry.value for row in spool.read(0, 9)] == [b"a", b"b", b"c", b"last"]
    assert [row.id for row in spool.read(0, 9)] == [first, first + 1, first + 2, second]
    assert (spool.pending, spool.bytes) == (4, size(*[entry(value) for value in (b"a", b"b", b"c", b"last")]))
    spool.delivered([first + 1])
    spool.close()
    with contextlib.closing(Spool(folder, 1_000_000)) as again:
        assert [row.entry.value for row in again.read(0, 9)] == [b"a", b"c", b"last"]
        assert again.next_sequence(A) == 2
        assert again.ledger() == Ledger(4, 1, pending=3)
        assert again.append([entry()], 1, {}, {})[0] > second
    assert PARTS_MAX >= SAMPLES_MAX


def test_a_spool_whose_entries_have_no_room_for_parts_gets_it(folder: Path) -> None:
    before = Spool(folder, 1_000_000)
    before.append([entry(b"%d" % number, 3) for number in range(700)], 2100, {}, {})
    before.close()
    with contextlib.closing(sqlite3.connect(folder / FILE)) as file, file:
        file.execute(f"UPDATE outbox SET id = id / {PARTS_MAX}")
        file.execute("UPDATE sqlite_sequence SET seq = 700")
        file.execute("PRAGMA user_version = 0")
    with contextlib.closing(Spool(folder, 1_000_000)) as spool:
        rows = spool.read(0, 999)
        assert [row.entry.value for row in rows] == [b"%d" % number for number in range(700)]
        assert spool.replace(rows[0].id, entry(b"x"), entry(b"y", 2))[1] < rows[1].id
        assert spool.append([entry()], 1, {}, {})[0] > rows[-1].id


def test_sequences_go_on_after_a_restart_for_what_was_kept_only(folder: Path) -> None:
    first = Spool(folder, 1000)
    assert [first.next_sequence(A), first.next_sequence(A), first.next_sequence(B)] == [1, 2, 1]
    first.append([entry(), entry(), entry(path=B)], 3, {}, {(A, "Tag"): Safe(5, 1, 0)})
    assert first.next_sequence(A) == 3, "never kept: the record went with the process"
    first.close()
    second = Spool(folder, 1000)
    assert [second.next_sequence(A), second.next_sequence(B), second.next_sequence("other")] == [3, 2, 1]
    second.close()


def test_newest_times_only_rise(folder: Path) -> None:
    first = Spool(folder, 1000)
    first.append([], 0, {}, {(A, "Tag"): Safe(5, 1, 0), (A, "Other"): Safe(9, 1, 0)})
    first.append([], 0, {}, {(A, "Tag"): Safe(4, 1, 0)})
    assert first.newest() == {(PlantPath.parse(A), "Tag"): Safe(5, 1, 0), (PlantPath.parse(A), "Other"): Safe(9, 1, 0)}
    first.close()
    second = Spool(folder, 1000)
    assert second.newest() == {(PlantPath.parse(A), "Tag"): Safe(5, 1, 0), (PlantPath.parse(A), "Other"): Safe(9, 1, 0)}
    second.close()


def test_a_newest_value_is_remembered_with_its_quality_unless_it_is_long(folder: Path) -> None:
    first = Spool(folder, 1000)
    newest = {(A, "Text"): Safe(5, "ä", 0x40000000), (A, "Long"): Safe(6, "x" * 2000, 0), (A, "None"): Safe(7, None, 0)}
    first.append([], 0, {}, newest)
    first.append([], 0, {}, {(A, "Text"): Safe(5, "ö", 0)})
    first.close()
    second = Spool(folder, 1000)
    place = PlantPath.parse(A)
    assert second.newest() == {
        (place, "Text"): Safe(5, "ö", 0),
        (place, "Long"): Safe(6),
        (place, "None"): Safe(7, None, 0),
    }, "of one time, the later word"
    second.close()


def test_a_spool_that_kept_times_alone_goes_on(folder: Path) -> None:
    Spool(folder, 1000).close()
    with contextlib.closing(sqlite3.connect(folder / FILE)) as file, file:
        file.execute("DROP TABLE newest")
        file.execute(
            "CREATE TABLE newest (path TEXT, tag TEXT, at INTEGER NOT NULL, PRIMARY KEY (path, tag)) WITHOUT ROWID"
        )
        file.execute("INSERT INTO newest VALUES (?, 'Tag', 5)", (A,))
    spool = Spool(folder, 1000)
    assert spool.newest() == {(PlantPath.parse(A), "Tag"): Safe(5)}
    spool.close()


def test_a_cursor_goes_with_its_entries_and_a_name_can_be_forgotten(folder: Path) -> None:
    first = Spool(folder, 1_000_000)
    first.append([entry()], 1, {}, {}, {"a/0": 7, "1": b"\xff", "text": b"12"})
    first.append([], 0, {}, {}, {"a/0": 9, "1": None, "never there": None})
    first.close()
    with contextlib.closing(Spool(folder, 1_000_000)) as second:
        assert second.cursor() == read_cursor(folder / FILE) == {"a/0": 9, "text": b"12"}
    assert read_cursor(folder / "none") == {}


def test_bytes_stand_in_a_cursor_that_was_made_for_numbers(folder: Path) -> None:
    folder.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(folder / FILE)) as db:
        db.execute("CREATE TABLE cursor (name TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID")
    with contextlib.closing(Spool(folder, 1_000_000)) as spool:
        spool.append([], 0, {}, {}, {"number": 7, "bytes": b"12"})
        assert spool.cursor() == {"number": 7, "bytes": b"12"}


def test_a_source_that_invents_tags_is_remembered_up_to_a_bound(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uns.runners.connector.spool.PLACES_MAX", 3)
    spool.append([], 0, {}, {(A, "1"): Safe(1, 1, 0), (A, "2"): Safe(1, 1, 0)})
    spool.append([], 0, {}, {(A, "2"): Safe(2, 1, 0), (A, "3"): Safe(1, 1, 0), (A, "4"): Safe(1, 1, 0)})
    spool.append([], 0, {}, {(A, "5"): Safe(1, 1, 0), (A, "1"): Safe(9, 1, 0)})
    assert spool.newest() == {(PlantPath.parse(A), tag): Safe(at, 1, 0) for tag, at in (("1", 9), ("2", 2), ("3", 1))}


def test_one_process_at_a_time(spool: Spool, folder: Path) -> None:
    with pytest.raises(ServiceError, match="in use by another running instance"):
        Spool(folder, 1000)
    spool.append([entry()], 1, {}, {})  # the first does not mind


def test_a_file_that_is_no_spool_is_named(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(b"no database at all " * 300)
    with pytest.raises(SpoolError, match=f"{FILE}.*moved away"):
        Spool(folder, 1000)
    (folder / FILE).unlink()
    Spool(folder, 1000).close()  # the lock was given back


def test_damage_is_told_from_every_method(folder: Path) -> None:
    spool = Spool(folder, 1000)
    spool.append([entry()], 1, {}, {})
    with contextlib.closing(sqlite3.connect(folder / FILE)) as other:
        other.execute("DROP TABLE outbox")
    with pytest.raises(SpoolError, match="outbox"):
        spool.append([entry()], 1, {}, {})
    spool.close()
    for call in (
        lambda: spool.read(0, 1),
        lambda: spool.delivered([1]),
        lambda: spool.drop_oldest(0, 1),
        lambda: spool.append([], 1, {}, {}),
    ):
        with pytest.raises(SpoolError, match=FILE):
            call()
    spool.close()


def test_the_ledger_is_read_from_outside_while_it_is_written(spool: Spool, folder: Path) -> None:
    stop, seen = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            seen.append(read_ledger(folder / FILE))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        while (len(seen) < 50 or not seen[-1].read) and watcher.is_alive():
            ids = spool.append([entry(units=3), entry(quarantine="bad_json")], 6, {"unchanged": 2}, {})
            assert spool.ledger().lost == 0
            spool.delivered(ids[:1])
            spool.delivered(ids[1:])
    finally:
        stop.set()
        watcher.join()
    assert len({ledger.read for ledger in seen}) > 1
    assert all(ledger.lost == 0 for ledger in seen)


def test_ledgers_are_found_by_connector_running_or_not(folder: Path, tmp_path: Path) -> None:
    assert read_ledgers(tmp_path) == {}
    running, other = Spool(folder, 1000), Spool(folder.with_name("other"), 1000)
    running.append([entry()], 1, {}, {})
    other.append([], 7, {"unchanged": 7}, {})
    other.close()
    assert read_ledgers(tmp_path) == {"plc": Ledger(1, pending=1), "other": Ledger(7, suppressed={"unchanged": 7})}
    running.close()


_DIES = """
import os, sys, signal
from pathlib import Path
from tests.unit.uns.runners.connector.test_spool import A, entry
from connectors.base import Safe
from uns.runners.connector.spool import Spool
spool = Spool(Path(sys.argv[1]), 10**6)
while True:
    number = spool.next_sequence(A)
    ids = spool.append([entry(b"%d" % number, 2)], 3, {"unchanged": 1}, {(A, "Tag"): Safe(number, 1, 0)})
    if number % 3:
        spool.delivered(ids)
    if number >= 200:
        print(number, flush=True)
"""


def test_kill_9_keeps_everything_that_was_appended(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _DIES, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    assert read_ledger(folder / FILE).lost == 0, "readable before anybody opens it again"
    spool = Spool(folder, 10**6)
    ledger = spool.ledger()
    last = ledger.read // 3
    assert last >= 200
    assert ledger.lost == 0
    assert ledger.suppressed == {"unchanged": last}
    assert spool.next_sequence(A) == last + 1
    assert spool.newest() == {(PlantPath.parse(A), "Tag"): Safe(last, 1, 0)}
    left = [int(row.entry.value) for row in spool.read(0, 10**6)]
    assert set(left) - {last} == set(range(3, last, 3))
    spool.close()


class Life(RuleBasedStateMachine):
    """Any life of a spool, crashes included: `read` is always accounted for, and a crash loses nothing that was kept."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.generation = 0
        self.spool = Spool(self.root / "0", 500)
        self.kept: dict[str, int] = {}
        self.expected: list[tuple[int, SpoolEntry]] = []
        self.read = self.gone = 0

    @rule(
        parts=st.lists(
            st.tuples(
                st.sampled_from([A, B]), st.binary(max_size=50), st.integers(1, 9), st.sampled_from(["", "bad_json"])
            ),
            max_size=5,
        ),
        left_out=st.integers(0, 5),
    )
    def append(self, parts: list[tuple[str, bytes, int, str]], left_out: int) -> None:
        entries = []
        for path, value, units, quarantine in parts:
            if not quarantine:
                number = self.spool.next_sequence(path)
                assert number == self.kept.get(path, 0) + 1
                self.kept[path] = number
            entries.append(entry(value, units, path, quarantine))
        read = sum(one.units for one in entries) + left_out
        ids = self.spool.append(entries, read, {"unchanged": left_out}, {})
        self.expected += zip(ids, entries, strict=True)
        self.read += read
        self.gone += left_out

    @rule(chance=st.randoms(use_true_random=False))
    def deliver(self, chance: object) -> None:
        ids = [id_ for id_, _ in self.expected if chance.random() < 0.5]  # type: ignore[attr-defined]
        self.spool.delivered(ids)
        self._leave(ids)

    @rule(wanted=st.integers(1, 600))
    def drop(self, wanted: int) -> None:
        after = self.expected[0][0] if self.expected else 0
        self._leave(self.spool.drop_oldest(after, wanted))

    @rule()
    def crash(self) -> None:
        """What a dead process leaves behind: the files as they are, nothing closed; and a number taken, not kept."""
        self.spool.next_sequence(A)
        self.generation += 1
        target = self.root / str(self.generation)
        shutil.copytree(self.root / str(self.generation - 1), target)
        size = self.spool.bytes
        self.spool.close()
        self.spool = Spool(target, 500)
        assert self.spool.bytes == size

    def _leave(self, ids: list[int]) -> None:
        gone = set(ids)
        self.gone += sum(one.units for id_, one in self.expected if id_ in gone)
        self.expected = [(id_, one) for id_, one in self.expected if id_ not in gone]

    @invariant()
    def accounts_for_everything(self) -> None:
        if not hasattr(self, "spool"):
            return
        ledger = self.spool.ledger()
        assert ledger.lost == 0
        assert (ledger.read, ledger.read - ledger.pending) == (self.read, self.gone)
        assert [(row.id, row.entry) for row in self.spool.read(0, 1000)] == self.expected
        assert self.spool.bytes == size(*(one for _, one in self.expected))
        assert read_ledger(self.root / str(self.generation) / FILE) == ledger

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
            shutil.rmtree(self.root)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)


def test_what_is_missed_is_remembered_with_the_drop_till_it_is_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1_000_000)
    spool.append([entry(b"x" * 10_000) for _ in range(2)], 2, {}, {})
    spool.drop_oldest(0, 1, lambda _: {A: (20, 30)})
    spool.drop_oldest(0, 1, lambda _: {A: (10, 25)})
    spool.listens(7)
    spool.close()
    spool = Spool(tmp_path, 1_000_000)
    assert (spool.missed, spool.listened) == ({A: (10, 30)}, 7)
    spool.told_missed()
    spool.close()
    spool = Spool(tmp_path, 1_000_000)
    assert (spool.missed, spool.listened) == ({}, 7)
    spool.close()
