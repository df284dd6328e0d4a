"""The session of an edge node, message by message."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from connectors.base import Malformed, Reading
from connectors.sparkplug.host import ASKS_PER_S, Host
from schemas.records import GOOD, Sample
from tests.unit.connectors.sparkplug.edge import SECOND, T0, Edge, config, data, metric, reasons, samples, stale, values

ASKED = [("g", "n", 0)]


def test_a_birth_gives_present_values_and_data_by_alias_the_changes() -> None:
    edge = Edge()
    assert samples(edge.nbirth(metric("Mode", 1, alias=1))) == [Sample("Mode", T0, 1)]
    assert samples(edge.dbirth("filler", metric("Good", 10, alias=2))) == [Sample("Good", T0, 10)]
    said = edge.ddata("filler", data(2, 11, at=T0 + 1000), data(2, -12, at=T0 + 2000))
    assert samples(said) == [Sample("Good", T0 + 1000, 11), Sample("Good", T0 + 2000, -12)]
    assert [str(thing.path) for thing in said] == ["acme/dallas/packaging/line-1/filler"] * 2
    assert samples(edge.ndata(data(1, 2))) == [Sample("Mode", T0, 2)]
    assert edge.asks() == []
    assert edge.host.deadline() == T0 + 10 * SECOND, "then the devices must have their births"


def test_bd_seq_and_controls_are_no_values() -> None:
    """tck-id-topics-nbirth-bdseq-included"""
    edge = Edge()
    assert edge.nbirth(metric("Node Control/Rebirth", False, 11), metric("Node Control/Reboot", False, 11)) == []
    assert edge.dbirth("filler", metric("Device Control/Rebirth", False, 11)) == []


def test_a_control_metric_that_comes_by_its_alias_is_known_and_not_read() -> None:
    """The reference in Java gives an alias to bdSeq, too."""
    edge = Edge()
    edge.nbirth(metric("Node Control/Scan Rate", 100, alias=5), metric("Mode", 1, alias=6))
    assert values(edge.ndata(data(5, 200), data(6, 2))) == {"Mode": 2}
    assert edge.asks() == []


# -- deaths ----------------------------------------------------------------------------------------------------


def test_the_death_of_an_edge_node_makes_all_stale_at_our_time() -> None:
    """tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline
    tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale
    tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-offline
    tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale
    """
    edge = Edge().born()
    edge.dbirth("capper", metric("Speed", 1.5, 10))
    edge.later(5)
    said = edge.ndeath()
    assert stale(said) == dict.fromkeys(("Mode", "Good", "Speed"), edge.now), "the will's own time is long ago"
    assert {thing.time_of for thing in said if isinstance(thing, Reading)} == {"arrival"}
    assert edge.ndeath() == [], "the will behind a death that was told says nothing new"
    assert reasons([*edge.ddata("filler", data(2, 11)), *edge.later(2)]) == ["no_birth"], "its devices are dead, too"
    assert edge.asks() == ASKED


def test_the_death_of_a_device_makes_its_tags_stale_at_the_time_it_says() -> None:
    """tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-offline
    tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale
    """
    edge = Edge().born()
    edge.dbirth("capper", metric("Speed", 1.5, 10, alias=3))
    edge.later(5)
    said = edge.ddeath("filler", at=T0 + 3 * SECOND)
    assert stale(said) == {"Good": T0 + 3 * SECOND}
    assert [thing.time_of for thing in said if isinstance(thing, Reading)] == ["server"]
    assert values(edge.ddata("capper", data(3, 2.5, 10))) == {"Speed": 2.5}, "the others live on"
    assert reasons(edge.ddata("filler", data(2, 11))) == ["no_birth"], "a dead device says nothing by alias"
    assert edge.asks() == ASKED


def test_a_death_is_never_before_the_last_value() -> None:
    edge = Edge().born()
    edge.ddata("filler", data(2, 11, at=T0 + 60 * SECOND))  # the edge node's clock is ahead of ours
    assert stale(edge.ndeath()) == {"Mode": T0 + 1, "Good": T0 + 60 * SECOND + 1}


@pytest.mark.parametrize(("births", "death"), [((4, 5), 4), ((255, 0), 255)], ids=["older", "rolled over"])
def test_the_death_of_the_session_before_is_ignored(births: tuple[int, int], death: int) -> None:
    """tck-id-topics-nbirth-bdseq-matching
    tck-id-topics-nbirth-bdseq-increment
    tck-id-payloads-ndeath-bdseq
    """
    edge = Edge()
    for edge.bd_seq in births:
        edge.born()
    assert reasons(edge.ndeath(death)) == ["old_death"], "it came late: the edge node had connected again"
    assert values(edge.ddata("filler", data(2, 11))) == {"Good": 11}
    assert edge.asks() == []
    assert set(stale(edge.ndeath())) == {"Mode", "Good"}


def test_the_death_of_a_session_that_was_never_seen_asks_whether_it_lives() -> None:
    edge = Edge()
    edge.bd_seq = 5
    edge.born()
    assert reasons(edge.ndeath(7)) == ["old_death"]
    assert edge.asks() == ASKED
    assert samples(edge.later(29)) == []
    assert set(stale(edge.later(2))) == {"Mode", "Good"}, "it did not answer"


def test_an_edge_node_that_answers_lives() -> None:
    edge = Edge()
    edge.bd_seq = 5
    edge.born()
    edge.ndeath(7)
    edge.ndata(data(1, 2))
    assert samples(edge.later(60)) == []


def test_a_death_needs_no_sequence_number() -> None:
    """tck-id-payloads-ndeath-seq"""
    edge = Edge().born()
    edge.ddata("filler", data(2, 11))
    assert set(stale(edge.ndeath())) == {"Mode", "Good"}


def test_a_death_without_bd_seq_counts() -> None:
    edge = Edge().born()
    assert set(stale(edge.send("NDEATH", None, edge.payload()))) == {"Mode", "Good"}


def test_an_edge_node_that_comes_back_without_a_death_is_read_on() -> None:
    edge = Edge().born()
    edge.bd_seq = 1
    said = [*edge.nbirth(metric("Mode", 3, alias=7)), *edge.dbirth("filler", metric("Good", 12, alias=8))]
    assert values(said) == {"Mode": 3, "Good": 12}
    assert values(edge.ddata("filler", data(8, 13))) == {"Good": 13}
    assert reasons(edge.ddata("filler", data(2, 14))) == ["unknown_alias"], "an alias of the session before"
    assert edge.asks() == ASKED


# -- what is born again ----------------------------------------------------------------------------------------


def test_a_value_from_before_the_death_is_said_again_at_the_birth() -> None:
    edge = Edge().born()
    edge.later(5)
    edge.ndeath()
    edge.later(5)
    said = edge.nbirth(metric("Mode", 1, alias=1))
    assert samples(said) == [Sample("Mode", T0, 1), Sample("Mode", edge.now, 1)]
    assert [thing.time_of for thing in said if isinstance(thing, Reading)] == ["source", "server"]
    assert samples(edge.dbirth("filler", metric("Good", 10, alias=2, at=edge.now), at=edge.now)) == [
        Sample("Good", edge.now, 10)
    ], "a value of its own time is said once"


def test_a_birth_whose_clock_is_behind_counts_from_its_arrival() -> None:
    edge = Edge().born()
    edge.later(100)
    edge.ndeath()
    edge.later(1)
    said = edge.nbirth(metric("Mode", 1, alias=1), at=T0)
    assert samples(said)[-1] == Sample("Mode", edge.now, 1)


def test_a_metric_that_is_no_more_is_stale() -> None:
    edge = Edge().born()
    edge.dbirth("filler", metric("Good", 10, alias=2), metric("Bad", 0, alias=3))
    edge.later(1)
    said = edge.dbirth("filler", metric("Good", 10, alias=2))
    assert stale(said) == {"Bad": edge.now}
    assert reasons(edge.ddata("filler", data(3, 1))) == ["unknown_alias"]


def test_a_device_without_a_birth_after_that_of_its_edge_node_is_stale() -> None:
    edge = Edge().born()
    edge.dbirth("capper", metric("Speed", 1.5, 10, alias=3))
    edge.later(1)
    edge.born()
    assert stale(edge.later(9.9)) == {}, "a rebirth is no blink of all values"
    assert set(stale(edge.later(0.2))) == {"Speed"}


def test_two_births_at_once_are_one_session() -> None:
    edge = Edge().born()
    for _ in range(2):
        edge.now += 2000
        assert values(edge.nbirth(metric("Mode", 1, alias=1))) == {"Mode": 1}
        assert values(edge.dbirth("filler", metric("Good", 10, alias=2))) == {"Good": 10}
    assert values(edge.ddata("filler", data(2, 11))) == {"Good": 11}
    assert (edge.asks(), edge.later(5)) == ([], [])


def test_the_same_birth_twice_says_nothing_new() -> None:
    edge = Edge().born()
    edge.ddata("filler", data(2, 11))
    birth = Edge().payload(metric("bdSeq", 0), metric("Mode", 1, alias=1), seq=0)
    assert reasons(edge.send("NBIRTH", None, birth)) == ["duplicate"], "by a bridge between brokers"
    assert values(edge.ddata("filler", data(2, 12))) == {"Good": 12}, "the session goes on"


def test_a_birth_without_any_time_is_a_birth_each_time() -> None:
    edge = Edge()
    for _ in range(2):
        edge.seq = 0
        edge.send("NBIRTH", None, edge.payload(metric("bdSeq", 0), metric("Mode", 1, alias=1, at=None), seq=edge.next_seq(), at=0))  # fmt: skip
        assert values(edge.ndata(data(1, 2))) == {"Mode": 2}
    assert edge.asks() == []


def test_an_alias_that_two_metrics_have_says_nothing() -> None:
    edge = Edge()
    edge.nbirth()
    assert reasons(edge.dbirth("filler", metric("Good", 1, alias=2), metric("Bad", 1, alias=2))) == ["alias_twice"]
    assert reasons(edge.ddata("filler", data(2, 11))) == ["unknown_alias"]


def test_devices_may_have_the_same_alias() -> None:
    edge = Edge().born()
    edge.dbirth("capper", metric("Speed", 1.5, 10, alias=2))
    assert values(edge.ddata("filler", data(2, 11))) == {"Good": 11}
    assert values(edge.ddata("capper", data(2, 2.5, 10))) == {"Speed": 2.5}


def test_what_a_broker_has_kept_is_no_birth() -> None:
    edge = Edge()
    birth = edge.payload(metric("bdSeq", 0), metric("Mode", 1), seq=0)
    assert reasons(edge.send("NBIRTH", None, birth, retained=True)) == ["retained"]
    assert edge.asks() == [("g", "n", None)]


# -- rebirths --------------------------------------------------------------------------------------------------


def test_requests_are_rare_while_they_do_not_help() -> None:
    edge = Edge()
    asked = []
    for second in range(700):
        edge.ddata("filler", data(2, second))
        edge.later(1)
        asked += [(edge.now - T0) // SECOND] * len(edge.asks())
    assert asked[0] == 2
    assert [late - early for early, late in pairwise(asked)] == [10, 20, 40, 80, 160, 300]
    assert "g/n" in edge.host.problems()[0]
    edge.born()
    assert edge.host.problems() == []


def test_a_session_that_breaks_again_at_once_is_asked_no_more_often() -> None:
    edge = Edge()
    asked = 0
    for _ in range(300):
        edge.ddata("filler", data(2, 1))
        edge.later(2)
        if edge.asks():
            asked += 1
            edge.born()
            edge.next_seq()  # lost
    assert asked <= 7, "ten minutes at 10, 20, 40, … s"


def test_many_edge_nodes_are_asked_one_after_another() -> None:
    host = Host(config({"edge": "g/+", "path": "acme/dallas/packaging/line-1"}))
    edges = [Edge(host, node=f"n{number}") for number in range(3 * ASKS_PER_S)]
    for edge in edges:
        edge.ndata(data(1, 1))
    asked = []
    for tenth in range(50):
        now = T0 + 3 * SECOND + tenth * SECOND // 10
        host.tick(now)
        asked.append(host.asks(now))
    assert [len(some) for some in asked if some] == [ASKS_PER_S] * 3
    assert len({ask.node for some in asked for ask in some}) == len(edges)


@pytest.mark.parametrize(
    ("doing", "why"),
    [
        (lambda edge: edge.ddata("filler", data(2, 1)), "data without a birth"),
        (lambda edge: (edge.born(), edge.ddata("filler", data(77, 1))), "unknown metrics"),
        (lambda edge: (edge.born(), edge.next_seq(), edge.ndata(data(1, 1))), "messages are missing"),
        (lambda edge: edge.host.connected(0, edge.now), "nothing heard yet"),
        (lambda edge: (edge.born(), edge.ndeath(7)), "old_death"),
    ],
)
def test_a_request_says_why(doing: Callable[[Edge], object], why: str) -> None:
    edge = Edge()
    doing(edge)
    edge.later(10)
    assert [ask.why for ask in edge.host.asks(edge.now)] == [why]


def test_a_named_edge_node_is_asked_though_it_is_silent() -> None:
    edge = Edge()
    edge.host.connected(0, T0)
    assert edge.asks() == [], "one that has us as its primary host comes by itself"
    edge.later(10)
    assert edge.asks() == [("g", "n", None)], "at every broker"
    edge.born()
    edge.later(1000)
    assert edge.asks() == []


def test_a_broker_that_is_lost_takes_its_edge_nodes_along() -> None:
    host = Host(config({"edge": "g/+", "path": "acme/dallas/packaging/line-1", "tag": "{node} {metric}"}))
    here, there = Edge(host, node="here"), Edge(host, node="there", broker=1)
    for edge in (here, there):
        edge.nbirth(metric("Mode", 1, alias=1))
    assert set(stale(host.lost(1, T0 + SECOND))) == {"there Mode"}
    assert values(here.ndata(data(1, 2))) == {"here Mode": 2}
    host.connected(1, T0 + 2 * SECOND)
    there.later(13)
    assert there.asks() == [("g", "there", 1)]


def test_an_edge_node_lives_where_it_was_born_last() -> None:
    """tck-id-operational-behavior-primary-application-state-with-multiple-servers-state-subs"""
    host = Host(config())
    first, second = Edge(host, broker=0), Edge(host, broker=1)
    first.born()
    second.now += SECOND
    second.born()
    assert reasons(first.ndeath()) == ["old_death"], "its will at the broker that it left, with the same bdSeq even"
    assert values(second.ddata("filler", data(2, 11))) == {"Good": 11}
    assert reasons(first.ddata("filler", data(2, 11))) == ["other_broker"], "a bridge says all twice"
    assert host.lost(0, T0) == []


def test_an_edge_node_that_moved_unseen_is_asked_where_it_is_heard() -> None:
    host = Host(config())
    Edge(host).born()
    host.lost(0, T0)
    there = Edge(host, broker=1)
    there.ddata("filler", data(2, 11))
    there.later(2)
    assert there.asks() == [("g", "n", 1)]


def test_what_nobody_asked_for_is_not_read() -> None:
    edge = Edge(node="other")
    assert edge.born().ddata("filler", data(2, 11)) == []
    assert edge.host.message("spBv1.0/g/NCMD/n", b"\xff", T0) == []
    assert edge.host.message("spBv1.0/STATE/g", b"{}", T0) == []
    assert edge.host.deadline() is None


def test_a_historical_value_is_late_and_changes_nothing_now() -> None:
    edge = Edge().born()
    edge.later(5)
    edge.ddeath("filler")
    old = metric("Good", 7, at=T0 - SECOND, is_historical=True)
    assert samples(edge.ddata("filler", old)) == [Sample("Good", T0 - SECOND, 7, GOOD)], "and it lives no more by that"
    said = edge.ddata("filler", metric("Good", 8, at=None, is_historical=True))
    assert [type(thing) for thing in said] == [Malformed]
    assert reasons(said) == ["bad_time"], "the time of its message is not its own"
