"""What is gathered is committed by time or size, and never goes back."""

from dataclasses import dataclass

from sinks.lake.gathered import Gathered

A, B = ("uns.a.raw", 0), ("uns.a.raw", 1)


@dataclass
class Rows:
    nbytes: int


def due(gathered: Gathered[Rows], now: float, commit_s: float = 60) -> bool:
    return gathered.due(now, commit_s, 600, 1000)


def test_nothing_is_never_due() -> None:
    assert not due(Gathered(), 1e9)
    assert not due(Gathered(), 1e9, 0)


def test_rows_are_due_by_age_of_the_first_and_by_size() -> None:
    gathered: Gathered[Rows] = Gathered()
    gathered.put("samples", [Rows(400)], {A: 3}, 100)
    gathered.put("samples", [Rows(400)], {A: 5, B: 2}, 150)
    assert not due(gathered, 159.9)
    assert due(gathered, 160)
    gathered.put("fact_order", [Rows(200)], {A: 6}, 150)
    assert due(gathered, 150)
    assert (gathered.ends("samples"), gathered.ends("fact_order")) == ({A: 5, B: 2}, {A: 6})
    gathered.committed("samples")
    assert gathered.tables() == ["fact_order"]
    assert due(gathered, 160)
    gathered.committed("fact_order")
    assert not due(gathered, 1e9)


def test_positions_alone_wait_longer_but_not_where_every_call_commits() -> None:
    gathered: Gathered[Rows] = Gathered()
    gathered.move({A: 3}, 100)
    assert not due(gathered, 699)
    assert due(gathered, 700)
    assert due(gathered, 100, 0)
    gathered.settled()
    assert not due(gathered, 1e9, 0)


def test_it_never_goes_back() -> None:
    gathered: Gathered[Rows] = Gathered()
    gathered.move({A: 3, B: 9}, 0)
    gathered.settled()
    gathered.move({A: 2, B: 9}, 1)
    assert not due(gathered, 1e9)
    assert gathered.positions == {A: 3, B: 9}
    gathered.accept({A: 5})
    gathered.accept({A: 4, B: 1})
    assert gathered.seen == {A: 5, B: 1}
