"""The toy class comes out of the fold, survives save and load, has a topic, and is decoded."""

from schemas.codec import Codec
from schemas.records import TYPES, Toy
from tests.harness.line_logs import CELL, EXECUTE, HOUR, STOPPED, T0, Run, beats, ordered, plant, samples, ticks
from topology.cluster import desired
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import topic

LOG = [
    *beats(T0, T0 + 3 * HOUR),
    *ticks(T0, T0 + 3 * HOUR, HOUR // 60),
    *(samples(T0 + n * HOUR // 4, State=STOPPED if n % 2 else EXECUTE) for n in range(10)),
]


def played(restarted: bool) -> Run:
    run, told = Run(), ordered(LOG)
    for piece in (told[: len(told) // 2], told[len(told) // 2 :]):
        run.feed(piece)
        if restarted:
            run.restart()
    return run


def test_it_comes_out_of_the_fold() -> None:
    hours = played(restarted=False).newest("toy")
    assert [(hour.started_at, hour.starts, hour.status) for hour in hours[:3]] == [
        (T0, 2, "final"),
        (T0 + HOUR, 2, "final"),
        (T0 + 2 * HOUR, 1, "provisional"),
    ]
    assert {hour.first_hour for hour in hours} == {T0}
    assert hours[0].id == f"{CELL}#toy@20261123T060000.000000Z~iso22400@1:{hours[0].revision}"


def test_it_survives_save_and_load() -> None:
    uncut, cut = played(restarted=False), played(restarted=True)
    assert [hour for hour in uncut.records if isinstance(hour, Toy)]
    assert cut.records == uncut.records


def test_it_has_a_topic_and_is_decoded() -> None:
    assert topic(Path.parse(CELL), MessageClass.TOY) in desired(plant()).topics
    codec = Codec({name: number for number, name in enumerate(TYPES, 1)})
    (hour, *_) = played(restarted=False).newest("toy")
    assert codec.decode(codec.encode(hour)) == hour
