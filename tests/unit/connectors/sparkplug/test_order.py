"""The order of messages: what comes too early, twice or never."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Malformed, Said
from connectors.sparkplug.codec import payload_of, rebirth_request
from connectors.sparkplug.host import Host
from tests.unit.connectors.sparkplug.edge import SECOND, T0, Edge, config, data, metric, reasons, samples, stale, values
from topology.sparkplug.topics import command_topic

Sent = tuple[str, str | None, bytes]


def early(edge: Edge, value: int) -> Sent:
    """A message of data that is not sent yet."""
    return "DDATA", "filler", edge.payload(data(2, value, at=T0 + value * 1000), seq=edge.next_seq())


def goods(said: list[Said]) -> list[object]:
    return [sample.value for sample in samples(said) if sample.tag == "Good"]


def test_what_comes_too_early_waits_and_is_read_in_order() -> None:
    """tck-id-operational-behavior-host-reordering-start
    tck-id-operational-behavior-host-reordering-success
    """
    edge = Edge().born()
    edge.later(11)
    first, second, third = (early(edge, value) for value in (1, 2, 3))
    assert edge.send(*third) == []
    assert edge.host.deadline() == edge.now + 2 * SECOND, "the window has begun"
    assert edge.later(1) == []
    assert edge.send(*second) == []
    assert goods(edge.send(*first)) == [1, 2, 3]
    assert edge.host.deadline() is None, "and ended"
    assert edge.later(5) == []
    assert edge.asks() == []
    assert goods(edge.send(*early(edge, 4))) == [4], "normal operation"


def test_what_does_not_come_is_not_guessed_and_a_rebirth_is_asked() -> None:
    """tck-id-operational-behavior-host-reordering-rebirth"""
    edge = Edge().born()
    edge.next_seq()  # lost: it may have been a birth, with other aliases
    edge.ddata("filler", data(2, 12), metric("Name", "ä", 12))
    assert edge.later(1.9) == []
    said = edge.later(0.1)
    assert reasons(said) == ["no_birth"]
    assert values(thing for thing in said if not isinstance(thing, Malformed)) == {"Name": "ä"}, "it explains itself"
    assert edge.asks() == [("g", "n", 0)]
    edge.born()
    assert goods(edge.ddata("filler", data(2, 13))) == [13]


def test_what_never_came_is_missing_between_the_last_value_and_the_birth() -> None:
    edge = Edge().born()
    assert edge.host.missed() == {}
    edge.ddata("filler", data(2, 5, at=T0 + SECOND))
    edge.next_seq()  # lost
    edge.ddata("filler", data(2, 12, at=T0 + 3 * SECOND))
    edge.later(2)
    assert edge.host.missed() == {}, "nobody knows yet until when"
    edge.later(5)
    edge.born()
    missed = {tag: span for (_, tag), span in edge.host.missed().items()}
    assert missed["Good"].first == T0 + SECOND
    assert {span.last for span in missed.values()} == {edge.now // 1000 * 1000}, "to the birth's own time"
    assert edge.host.missed() == {}
    edge.later(5)
    edge.born()
    assert edge.host.missed() == {}, "a birth alone loses nothing"


@pytest.mark.parametrize("timeout_s", [0.5, 7])
def test_the_window_is_an_option(timeout_s: float) -> None:
    """tck-id-operational-behavior-host-reordering-param"""
    edge = Edge(Host(config(reorder_timeout_s=timeout_s))).born()
    edge.next_seq()
    edge.ddata("filler", data(2, 12))
    assert (edge.later(timeout_s - 0.1), edge.asks()) == ([], [])
    assert reasons(edge.later(0.1)) == ["no_birth"]
    assert len(edge.asks()) == 1


def test_without_a_window_nothing_waits() -> None:
    edge = Edge(Host(config(reorder_timeout_s=0))).born()
    edge.next_seq()
    assert reasons(edge.ddata("filler", data(2, 12))) == ["no_birth"]
    assert len(edge.asks()) == 1


def test_a_rebirth_request_is_as_the_specification_has_it() -> None:
    """tck-id-operational-behavior-data-commands-ncmd-rebirth-verb
    tck-id-operational-behavior-data-commands-ncmd-rebirth-name
    tck-id-operational-behavior-data-commands-ncmd-rebirth-value
    tck-id-operational-behavior-data-commands-ncmd-verb
    tck-id-operational-behavior-data-commands-ncmd-metric-name
    tck-id-operational-behavior-data-commands-ncmd-metric-value
    tck-id-topics-ncmd-topic
    tck-id-topics-ncmd-timestamp
    tck-id-topics-ncmd-payload
    tck-id-payloads-ncmd-timestamp
    tck-id-payloads-ncmd-seq
    tck-id-payloads-name-cmd-requirement
    """
    assert command_topic("g", "n") == "spBv1.0/g/NCMD/n"
    payload = payload_of(rebirth_request(T0))
    assert payload.timestamp == T0 // 1000
    assert not payload.HasField("seq")
    (asked,) = payload.metrics
    assert (asked.name, asked.datatype, asked.boolean_value, asked.timestamp) == ("Node Control/Rebirth", 11, True, T0 // 1000)  # fmt: skip
    assert not asked.HasField("alias"), "its birth must not give it one"


def test_sequence_numbers_begin_again_after_255() -> None:
    edge = Edge().born()
    read = [goods(edge.send(*early(edge, value))) for value in range(600)]
    assert read == [[value] for value in range(600)]
    assert edge.asks() == []


def test_the_death_of_a_device_has_its_place_in_the_order() -> None:
    """tck-id-payloads-ddeath-seq-inc"""
    edge = Edge().born()
    last = early(edge, 11)
    assert edge.ddeath("filler", at=T0 + 20_000) == [], "it waits for what was said before"
    said = edge.send(*last)
    assert [(s.tag, s.value, s.at) for s in samples(said)] == [("Good", 11, T0 + 11_000), ("Good", None, T0 + 20_000)]
    assert goods(edge.dbirth("filler", metric("Good", 12, alias=2, at=T0 + 30_000))) == [12]
    assert edge.asks() == []


def test_data_that_overtakes_its_birth_waits_for_it() -> None:
    edge, behind = Edge(), Edge()
    births = [
        ("NBIRTH", None, behind.payload(metric("bdSeq", 0), seq=0)),
        ("DBIRTH", "filler", behind.payload(metric("Good", 10, alias=2), seq=1)),
    ]
    edge.seq = 2
    assert edge.send(*early(edge, 11)) == []
    assert edge.send(*births[1]) == [], "a device's birth before its edge node's"
    assert goods(edge.send(*births[0])) == [10, 11]
    assert (edge.later(5), edge.asks()) == ([], [])


def test_data_of_a_session_that_is_over_does_not_get_the_aliases_of_the_next() -> None:
    edge = Edge()
    edge.seq = 2
    assert edge.send(*early(edge, 11)) == []
    edge.now += 1000
    edge.nbirth(metric("Mode", 1, alias=1))
    said = edge.dbirth("filler", metric("Bad", 0, alias=2))
    assert values(said) == {"Bad": 0}
    assert edge.asks() == [], "it was born just now"


def test_a_message_from_before_the_birth_does_not_get_its_aliases() -> None:
    """A clustered broker brings it late, and its number happens to be the next one."""
    edge = Edge().born()
    late = "DDATA", "filler", edge.payload(data(2, 11), seq=2)
    edge.now += 1000
    edge.nbirth()
    edge.dbirth("filler", metric("Bad", 0, alias=2))
    assert edge.send(*late) == []
    assert values(edge.ddata("filler", data(2, 1))) == {"Bad": 1}
    assert reasons(edge.later(2)) == ["no_birth"]


def test_what_was_kept_is_read_though_its_message_says_an_older_time() -> None:
    edge = Edge().born()
    kept = data(2, 9, at=T0 - SECOND, is_historical=True)
    assert goods(edge.ddata("filler", kept, at=T0 - SECOND)) == [9]


def test_a_clock_that_was_set_back_costs_one_rebirth() -> None:
    edge = Edge().born()
    edge.now -= 60 * SECOND
    edge.ddata("filler", data(2, 11))
    assert reasons(edge.later(2)) == ["no_birth"]
    assert len(edge.asks()) == 1
    edge.born()
    assert goods(edge.ddata("filler", data(2, 12))) == [12]


def test_our_clock_set_back_delays_nothing() -> None:
    edge = Edge().born()
    edge.later(11)
    edge.next_seq()
    edge.ddata("filler", data(2, 12))
    edge.later(1)
    edge.now -= 3600 * SECOND
    sent = T0 + 20 * SECOND  # the edge node's clock goes on
    assert edge.later(0) == []
    assert edge.later(0.9) == []
    assert reasons(edge.later(0.2)) == ["no_birth"]
    assert len(edge.asks()) == 1
    edge.later(10)
    assert len(edge.asks()) == 1, "and again after the interval"
    edge.nbirth(metric("Mode", 1, at=sent), at=sent)
    assert edge.later(3) == []


def test_the_same_message_twice_is_read_once() -> None:
    edge = Edge().born()
    message = early(edge, 11)
    assert goods(edge.send(*message)) == [11]
    assert reasons(edge.send(*message)) == ["duplicate"]
    assert goods(edge.send(*early(edge, 12))) == [12]
    assert (edge.later(5), edge.asks()) == ([], [])


def test_a_sequence_number_that_two_messages_have_loses_neither() -> None:
    """As some edge nodes in the field do it: what explains itself is read, and a rebirth is asked."""
    edge = Edge().born()
    assert goods(edge.send("DDATA", "filler", edge.payload(metric("Good", 11), seq=2))) == [11]
    assert edge.send("DDATA", "filler", edge.payload(metric("Good", 12), seq=2)) == []
    assert goods(edge.later(2)) == [12]
    assert len(edge.asks()) == 1


def test_without_sequence_numbers_all_that_explains_itself_is_read() -> None:
    edge = Edge().born()
    said: list[Said] = []
    for value in range(1, 11):
        said += edge.send("DDATA", "filler", edge.payload(metric("Good", value)))
        said += edge.later(1)
    assert goods([*said, *edge.later(2)]) == list(range(1, 11))


def test_what_waits_is_bounded() -> None:
    edge = Edge().born()
    edge.next_seq()
    said = [thing for value in range(128) for thing in edge.send(*early(edge, value))]
    assert reasons(said) == ["no_birth"] * 128
    big = Host(config())
    big.room.held_bytes_left = 1000
    edge = Edge(big).born()
    edge.next_seq()
    said = [thing for value in range(60) for thing in edge.send(*early(edge, value))]
    assert 0 < len(said) <= 60
    assert big.room.held_bytes_left <= 1000
    edge.later(5)
    assert big.room.held_bytes_left == 1000, "and given back"


def test_what_cannot_be_read_is_a_gap() -> None:
    edge = Edge().born()
    assert reasons(edge.send("DDATA", "filler", b"\xff{")) == ["bad_protobuf"]
    edge.next_seq()  # it had one, that nobody can read
    edge.send(*early(edge, 12))
    assert reasons(edge.later(2)) == ["no_birth"]
    assert len(edge.asks()) == 1


@given(st.integers(0, 300), st.integers(1, 40), st.randoms(use_true_random=False))
def test_any_order_inside_the_window_reads_the_same(before: int, count: int, chance: random.Random) -> None:
    """tck-id-operational-behavior-host-reordering-success"""
    edge = Edge().born()
    for value in range(before):
        edge.send(*early(edge, value))
    messages = [early(edge, before + number) for number in range(count)]
    chance.shuffle(messages)
    said = [thing for message in messages for thing in edge.send(*message)]
    assert goods(said) == list(range(before, before + count))
    assert edge.asks() == []


@given(st.lists(st.sampled_from(["data", "lost", "twice", "nbirth", "ddeath", "dbirth", "ndeath", "late", "tick"]), max_size=40))  # fmt: skip
def test_every_message_is_read_or_told_and_none_is_misread(doings: list[str]) -> None:
    """Whatever happens on the way, a value of `Good` is one that was sent as such, and each is read or told at most once."""
    edge, count, held = Edge(), itertools.count(1), list[Sent]()
    said: list[Said] = []
    sent = 0
    other = False
    for doing in doings:
        edge.now += 1_000_000
        match doing:
            case "data" | "twice" | "late" | "lost":
                message = "DDATA", "filler", edge.payload(data(3 if other else 2, value := next(count), at=T0 + value * 1000), seq=edge.next_seq())  # fmt: skip
                if doing == "late":
                    held.append(message)
                elif doing != "lost":
                    for _ in range(2 if doing == "twice" else 1):
                        sent += 1
                        said += edge.send(*message)
            case "nbirth":
                other = not other
                said += edge.nbirth()
                names = ("Bad", "Good") if other else ("Good", "Bad")
                said += edge.dbirth("filler", *(metric(name, 0, alias=alias) for alias, name in enumerate(names, 2)))
            case "dbirth":
                names = ("Bad", "Good") if other else ("Good", "Bad")
                said += edge.dbirth("filler", *(metric(name, 0, alias=alias) for alias, name in enumerate(names, 2)))
            case "ddeath":
                said += edge.ddeath("filler")
            case "ndeath":
                said += edge.ndeath()
            case "tick":
                said += edge.later(5)
                edge.asks()
        if held and doing == "tick":
            sent += len(held)
            said += [thing for message in held for thing in edge.send(*message)]
            held.clear()
    said += edge.later(60)
    assert all(sample.tag == "Good" for sample in samples(thing for thing in said if not isinstance(thing, Malformed)) if sample.value)  # fmt: skip
    read = [thing for thing in said if not isinstance(thing, Malformed) and thing.sample.value]  # type: ignore[union-attr]
    times = [thing.sample.at for thing in read]  # type: ignore[union-attr]
    assert len(set(times)) == len(times), "each value once"
    told = [thing for thing in said if isinstance(thing, Malformed) and "DDATA" in thing.origin]
    assert len(read) + len(told) == sent
    assert stale(edge.ndeath()) is not None
