"""Files as they really come about: appended to, rotated, replaced, copied slowly, taken away."""

import itertools
import os
import random
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Batch
from connectors.files import known
from connectors.files.place import Kept, decode
from tests.harness.heard import Heard
from tests.unit.connectors.files.driver import HEADER, LONG, Driver, lines

GROWING = {**LONG, "pattern": "*.csv", "settle_s": 0.1}


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(tmp_path, GROWING)


def test_half_a_line_waits_for_its_end(driver: Driver) -> None:
    driver.write("log.csv", HEADER + lines(0, 3)[:-4])

    def finish(read: object) -> None:
        driver.write("log.csv", lines(0, 3)[-4:]) if size(driver, "log.csv") < len(HEADER + lines(0, 3)) else None

    assert driver.read(lambda read: len(read.values) == 3, meanwhile=finish).values == [0, 1, 2]


def size(driver: Driver, name: str) -> int:
    return (driver.folder / name).stat().st_size


def test_each_row_once_over_restarts_and_in_the_middle_of_a_file(driver: Driver) -> None:
    driver.write("log.csv", HEADER + lines(0, 3_000))
    first = driver.read(lambda read: len(read.batches) >= 2, safe=lambda batch: batch.readings[0].sample.value == 0)
    kept = len(first.batches[0].readings)
    driver.write("log.csv", lines(3_000, 3_010))
    assert driver.read(lambda read: len(read.values) >= 3_010 - kept).values == list(range(kept, 3_010))
    assert driver.read(idle_s=0.3).said == []


def test_a_log_that_rotates_is_read_on_under_its_new_name(driver: Driver) -> None:
    driver.write("log.csv", HEADER + lines(0, 50))
    driver.read(lambda read: len(read.values) == 50)
    driver.write("log.csv", lines(50, 60))
    os.rename(driver.folder / "log.csv", driver.folder / "log.1.csv")
    driver.write("log.csv", HEADER + lines(60, 63))
    read = driver.read(lambda read: len(read.values) >= 13)
    assert sorted(read.values) == list(range(50, 63))
    assert driver.read(idle_s=0.3).said == []


def test_a_log_that_rotates_while_it_is_read(driver: Driver) -> None:
    driver.write("log.csv", HEADER + lines(0, 50))

    def rotate(read: object) -> None:
        if not (driver.folder / "log.1.csv").exists():
            os.rename(driver.folder / "log.csv", driver.folder / "log.1.csv")
            driver.write("log.1.csv", lines(50, 60))
            driver.write("log.csv", HEADER + lines(60, 63))
            os.utime(driver.folder / "log.csv", (1, 1))  # its clock is off: the new file looks older

    read = driver.read(lambda read: len(read.values) >= 63, meanwhile=rotate)
    assert sorted(read.values) == list(range(63))
    assert driver.read(idle_s=0.3).said == []


def rotate(driver: Driver, names: list[str]) -> None:
    """Each file gets the name of the next, the last one first."""
    for name, older in reversed(list(itertools.pairwise(names))):
        if (driver.folder / name).exists():
            os.rename(driver.folder / name, driver.folder / older)


@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "while it is away"])
def test_a_row_of_logs_rotates_and_none_is_read_again(driver: Driver, running: bool) -> None:
    names = [f"log.{number}.csv" for number in range(5)]
    for number in range(3):
        driver.write(names[2 - number], HEADER + lines(100 * number, 100 * number + 50))

    def go_on() -> None:
        driver.write(names[0], lines(250, 260))
        rotate(driver, names)
        driver.write(names[0], HEADER + lines(300, 310))

    def once(read: Heard) -> None:
        if running and len(read.values) == 150 and read.batches[-1].readings:
            go_on()

    expected = [*range(50), *range(100, 150), *range(200, 260), *range(300, 310)]
    read = driver.read(lambda read: len(read.values) >= (170 if running else 150), meanwhile=once)
    if running:
        assert sorted(read.values) == expected
    else:
        go_on()
        rest = driver.read(lambda read: len(read.values) >= 20)
        assert sorted([*read.values, *rest.values]) == expected
    assert driver.read(idle_s=0.3).said == []


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_safe_at_a_death_each_row_is_read_once(driver: Driver, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"log.{number}.csv" for number in range(20)]
    read: list[Any] = []
    written, deaths = 0, 0
    driver.write(names[0], HEADER)
    for _ in range(12):
        for _ in range(chance.randrange(4)):
            count = chance.choice([1, 40, 1_500])
            driver.write(names[0], lines(written, written + count))
            written += count
            if chance.random() < 0.5:
                rotate(driver, names)
                driver.write(names[0], HEADER + lines(written, written + 1))
                written += 1
        safe_batches = chance.randrange(4)
        said: list[Batch] = []

        def safe(batch: Batch, said: list[Batch] = said, safe_batches: int = safe_batches) -> bool:
            said.append(batch)
            return len(said) <= safe_batches

        left, count = written - len(read), safe_batches
        driver.read(lambda heard, left=left, count=count: len(heard.batches) > count or len(heard.values) >= left, safe)  # type: ignore[misc]
        read += [reading.sample.value for batch in said[:safe_batches] for reading in batch.readings]
        deaths += len(said) > safe_batches
    left = written - len(read)
    read += driver.read(lambda heard: len(heard.values) >= left).values
    assert sorted(read) == list(range(written))
    assert deaths, "some died with rows that were not safe"
    assert driver.read(idle_s=0.3).said == []


def test_places_of_files_that_are_gone_are_forgotten_beyond_a_bound(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "PLACES_MAX", 3)
    for number in range(4):
        driver.write(f"{number}.csv", HEADER + lines(number, number + 1))
        os.utime(driver.folder / f"{number}.csv", (100 - number, 100 - number))
    driver.read(lambda heard: len(heard.values) == 4)
    for number in (0, 2, 3):
        os.unlink(driver.folder / f"{number}.csv")
    driver.write("4.csv", HEADER + lines(4, 5))
    driver.read(lambda heard: len(heard.values) == 1)
    assert sorted(_called(driver)) == ["0.csv", "1.csv", "4.csv"], "those that were written to longest ago"


def _called(driver: Driver) -> list[str]:
    kept = [decode(place, Kept) for place in driver.cursor.values() if isinstance(place, bytes)]
    return [one.called for one in kept if one is not None]


def test_a_copy_is_no_rename(driver: Driver) -> None:
    driver.write("a.csv", HEADER + lines(0, 50))
    driver.read(lambda read: len(read.values) == 50)
    driver.write("b.csv", HEADER + lines(0, 50))
    driver.write("a.csv", lines(50, 51))
    read = driver.read(lambda read: len(read.values) >= 51)
    assert sorted(read.values) == sorted([*range(50), 50])


def test_a_file_whose_name_says_whose_it_is_is_another_under_another_name(tmp_path: Path) -> None:
    driver = Driver(tmp_path, {**GROWING, "path": "acme/dallas/packaging/{file}"})
    driver.write("line-1.csv", HEADER + lines(0, 3))
    driver.read(lambda read: len(read.values) == 3)
    os.rename(driver.folder / "line-1.csv", driver.folder / "line-2.csv")
    read = driver.read(lambda read: len(read.values) == 3)
    assert {str(reading.path) for batch in read.batches for reading in batch.readings} == {
        "acme/dallas/packaging/line-2"
    }


@pytest.mark.parametrize("how", ["replaced", "truncated"])
def test_a_file_that_is_written_anew_is_read_anew(driver: Driver, how: str) -> None:
    driver.write("log.csv", HEADER + lines(0, 50))
    driver.read(lambda read: len(read.values) == 50)
    if how == "replaced":
        driver.write("log.tmp", HEADER + lines(100, 160))  # longer than the one before
        os.replace(driver.folder / "log.tmp", driver.folder / "log.csv")
        expected = list(range(100, 160))
    else:
        driver.write("log.csv", HEADER + lines(100, 110), "wb")
        expected = list(range(100, 110))
    assert driver.read(lambda read: len(read.values) >= len(expected)).values == expected


def test_a_copy_under_way_has_zeros_where_it_has_not_written_yet(driver: Driver) -> None:
    whole = (HEADER + lines(0, 20)).encode()
    file = driver.folder / "copy.csv"
    file.write_bytes(whole[:200] + bytes(len(whole) - 200))

    def go_on(read: object) -> None:
        file.write_bytes(whole)

    read = driver.read(lambda read: len(read.values) >= 20, meanwhile=go_on)
    assert read.values == list(range(20))
    assert read.malformed == []


def test_a_hole_that_a_crash_left_is_told_and_passed(driver: Driver) -> None:
    driver.write("log.csv", HEADER + lines(0, 2) + "2026-11")
    driver.write("log.csv", bytes(100_000) + lines(2, 4).encode())
    read = driver.read(lambda read: len(read.values) >= 4)
    assert read.values == [0, 1, 2, 3]
    (hole,) = read.malformed
    assert hole.reason == "bad_text"
    assert hole.payload.startswith(b"2026-11\0\0")
    assert "100000 zero bytes" in hole.message


def test_empty_files_and_folders_and_those_taken_away_hold_up_nothing(driver: Driver) -> None:
    driver.write("empty.csv", b"")
    driver.write("only-a-header.csv", HEADER)
    driver.write("a.csv", HEADER + lines(0, 4_000))
    driver.write("z.csv", HEADER + lines(0, 2))
    read = driver.read(
        lambda read: len(read.values) >= 4_002, meanwhile=lambda read: (driver.folder / "a.csv").unlink(missing_ok=True)
    )
    assert len(read.values) == 4_002  # what was open is read to its end
    assert read.malformed == []


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(driver: Driver) -> None:
    (driver.folder / "loop.csv").symlink_to("loop.csv")
    (driver.folder / "folder.csv").mkdir()
    driver.write("b.csv", "at,name,value\n" + lines(0, 1))
    driver.write("c.csv", "at,tag,value,tag\n")
    driver.write("d.csv", HEADER + lines(0, 2))
    assert driver.read(lambda read: len(read.values) == 2).values == [0, 1]
    driver.read(problem="file b.csv: its header lacks 'tag'")
    driver.read(problem="file c.csv: its header names 'tag' twice")
    driver.write("b.csv", HEADER + lines(5, 6), "wb")
    assert driver.read(lambda read: len(read.values) == 1).values == [5]


def test_complete_files_are_read_when_they_are(tmp_path: Path) -> None:
    driver = Driver(
        tmp_path,
        {**GROWING, "pattern": "settled/*.csv", "complete": "settled", "settle_s": 0.1},
        {**GROWING, "pattern": "marked/*.csv", "complete": "marker"},
    )
    driver.write("settled/a.csv", HEADER + lines(0, 2)[:-1])  # no line break at its end
    driver.write("marked/b.csv", HEADER + lines(2, 4)[:-1])
    assert driver.read(lambda read: len(read.values) == 2).values == [0, 1]
    driver.write("marked/b.csv.done", b"")
    assert driver.read(lambda read: len(read.values) == 2).values == [2, 3]
    assert driver.read(idle_s=0.3).said == []
