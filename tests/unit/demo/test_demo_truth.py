"""The truth by hand: a small plant written down line by line, and what follows from it."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uns.demo.plant.events import MINUTE, SECOND
from uns.demo.plant.events import Truth as Told
from uns.demo.plant.simulation import Simulation
from uns.demo.plant.truth import Truth, TruthLog

LINE = "acme/dallas/packaging/line-1"
PATH = f"{LINE}/filler"
Write = Callable[[Iterable[tuple[int, str, dict[str, Any]]]], Truth]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes times in minutes and reads them back; the run is minutes 0 to 60."""

    def write(told: Iterable[tuple[int, str, dict[str, Any]]]) -> Truth:
        file = tmp_path / "truth.jsonl"
        log = TruthLog(file, 0)
        for minute, kind, content in told:
            log.tell(Told(minute * MINUTE, kind, content))
        log.end(60 * MINUTE)
        log.close()
        return Truth.read(file)

    return write


def state(minute: int, name: str, mode: str = "production") -> tuple[int, str, dict[str, Any]]:
    return minute, "state", {"path": PATH, "state": name, "mode": mode}


def piece(minute: int, good: bool) -> tuple[int, str, dict[str, Any]]:
    return minute, "count", {"path": PATH, "good": int(good), "scrap": int(not good)}


def shift(begin: int, end: int, *breaks: tuple[int, int]) -> tuple[int, str, dict[str, Any]]:
    pauses = [{"started_at": a * MINUTE, "ended_at": b * MINUTE} for a, b in breaks]
    content = {"line": LINE, "id": f"s{begin}", "name": "early", "breaks": pauses}
    return 0, "shift", {**content, "started_at": begin * MINUTE, "ended_at": end * MINUTE}


def order(minute: int, end: int | None, ideal_s: float) -> tuple[int, str, dict[str, Any]]:
    last = None if end is None else end * MINUTE
    content = {"line": LINE, "id": f"o{minute}", "product": "cola", "started_at": minute * MINUTE, "ended_at": last}
    return minute, "order", {**content, "ideal_cycle_s": ideal_s}


def silence(begin: int, end: int | None) -> tuple[int, str, dict[str, Any]]:
    last = None if end is None else end * MINUTE
    return begin, "silence", {"path": PATH, "started_at": begin * MINUTE, "ended_at": last}


def minutes(truth: Truth, begin: int, end: int) -> dict[str, float]:
    return {name: us / MINUTE for name, us in truth.state_us(PATH, begin * MINUTE, end * MINUTE).items()}


def test_time_by_state_is_cut_at_the_window_and_unknown_before_the_first_word(written: Write) -> None:
    truth = written([state(10, "execute"), state(30, "held"), state(32, "execute")])
    assert minutes(truth, 0, 60) == {"unknown": 10, "execute": 48, "held": 2}
    assert minutes(truth, 31, 33) == {"held": 1, "execute": 1}
    assert minutes(truth, 10, 10) == {}


def test_silence_is_unknown_and_its_pieces_count_when_it_is_over(written: Write) -> None:
    truth = written([state(0, "execute"), piece(20, True), piece(21, True), silence(20, None), silence(20, 29)])
    assert truth.silences == [(PATH, 20 * MINUTE, 29 * MINUTE)]
    assert minutes(truth, 0, 60) == {"execute": 51, "unknown": 9}
    assert truth.counts(PATH, 0, 29 * MINUTE) == (1, 0)
    assert truth.counts(PATH, 29 * MINUTE, 60 * MINUTE) == (1, 0)


def test_a_machine_that_stays_silent_takes_its_pieces_along(written: Write) -> None:
    truth = written([state(0, "execute"), silence(20, None), piece(21, True)])
    assert truth.silences == [(PATH, 20 * MINUTE, None)]
    assert minutes(truth, 0, 60) == {"execute": 20, "unknown": 40}
    assert truth.counts(PATH, 0, 60 * MINUTE) == (0, 0)


def test_a_count_at_the_end_of_a_window_belongs_to_the_next(written: Write) -> None:
    truth = written([state(0, "execute"), piece(10, True), piece(20, False)])
    assert truth.counts(PATH, 10 * MINUTE, 20 * MINUTE) == (1, 0)
    assert truth.counts(PATH, 20 * MINUTE, 30 * MINUTE) == (0, 1)


def test_oee_by_hand(written: Write) -> None:
    # Shift 0 to 60 with a break from 40 to 50: PBT 50. Execute in mode production 0–20, 36–40 and 50–56: APT 30.
    truth = written(
        [
            shift(0, 60, (40, 50)),
            *(state(0, "execute"), state(20, "held"), state(30, "stopped", "setup"), state(35, "execute", "setup")),
            *(state(36, "execute"), state(56, "stopped")),
            *(order(0, 30, 60.0), order(36, None, 120.0)),
            *(piece(1, True), piece(2, True), piece(3, False), piece(37, True)),
        ]
    )
    found = truth.oee(PATH, 0, 60 * MINUTE)
    assert found["availability"] == pytest.approx(30 / 50)
    assert found["performance"] == pytest.approx((3 * 1 + 1 * 2) / 30)
    assert found["quality"] == pytest.approx(3 / 4)
    assert found["oee"] == pytest.approx((2 * 1 + 1 * 2) / 50)
    assert [one["id"] for one in truth.orders(LINE)] == ["o0", "o36"]
    assert truth.orders(LINE)[1]["ended_at"] is None


def test_oee_outside_shifts_has_no_denominator_and_a_piece_without_an_order_takes_six_seconds(written: Write) -> None:
    truth = written([shift(30, 60), state(0, "execute"), piece(40, True)])
    nothing = truth.oee(PATH, 0, 30 * MINUTE)
    assert set(nothing.values()) == {None}
    found = truth.oee(PATH, 0, 60 * MINUTE)
    assert found["availability"] == 1.0
    assert found["performance"] == found["oee"] == pytest.approx(0.1 / 30)


def test_a_silence_is_no_production_time(written: Write) -> None:
    truth = written([shift(0, 60), state(0, "execute"), silence(10, 25), piece(12, True)])
    found = truth.oee(PATH, 0, 60 * MINUTE)
    assert found["availability"] == pytest.approx(45 / 60)
    assert found["quality"] == 1.0


def test_stops_breakdowns_and_drifts_are_read(written: Write) -> None:
    stop = {"path": PATH, "reason": 201, "started_at": 5 * MINUTE, "ended_at": 9 * MINUTE}
    truth = written(
        [
            *((5, "stop", stop), (5, "breakdown", stop), state(5, "aborting")),
            (7, "drift", {"path": PATH, "characteristic": "FillVolume"}),
        ]
    )
    assert truth.stops == {PATH: [(5 * MINUTE, 9 * MINUTE, 201)]}
    assert truth.breakdowns == [(PATH, 5 * MINUTE, 9 * MINUTE)]
    assert truth.drifts == [(PATH, "FillVolume", 7 * MINUTE)]
    assert truth.machines == [PATH]


def test_the_first_end_counts_and_a_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    log = TruthLog(file, 7)
    log.end(50)
    log.end(99)
    log.close()
    with file.open("a") as torn:
        torn.write('{"kind":"state","at":1')
    truth = Truth.read(file)
    assert (truth.start_us, truth.end_us) == (7, 50)


def test_a_run_without_an_end_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    file.write_text(json.dumps({"kind": "start", "at": 7}) + "\n")
    with pytest.raises(ValueError, match="has no end"):
        Truth.read(file)


@given(st.integers(0, 2**32), st.data())
@settings(max_examples=4, deadline=None)
def test_any_window_of_any_run_is_tiled_and_its_parts_add_up(
    tmp_path_factory: pytest.TempPathFactory, seed: int, data: st.DataObject
) -> None:
    begin = 1_795_413_000 * SECOND
    end = begin + 70 * MINUTE
    file = tmp_path_factory.mktemp("truth") / "truth.jsonl"
    log = TruthLog(file, begin)
    for event in Simulation(seed, begin).events(end):
        if isinstance(event, Told):
            log.tell(event)
    log.end(end)
    log.close()
    truth = Truth.read(file)
    assert len(truth.machines) == 12
    cut = data.draw(st.integers(begin, end))
    for path in truth.machines:
        for first, last in ((begin, cut), (cut, end), (begin, end)):
            assert sum(truth.state_us(path, first, last).values()) == last - first
        parts = [truth.counts(path, begin, cut), truth.counts(path, cut, end)]
        assert tuple(map(sum, zip(*parts, strict=True))) == truth.counts(path, begin, end)
        assert not any(
            name == "unknown" and us for name, us in truth.state_us(path, begin, begin + 30 * MINUTE).items()
        )
        oee = truth.oee(path, begin, end)
        assert oee["availability"] is not None
        assert 0.3 < oee["availability"] <= 1
        assert oee["performance"] is not None
        assert oee["performance"] > 0.5
        assert oee["quality"] is not None
        assert 0.85 < oee["quality"] <= 1
