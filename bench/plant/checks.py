"""Whether what came out is what the machines said: speed without truth is no speed."""

import time
from collections.abc import Collection, Iterable, Mapping

import psycopg
from psycopg import sql

from bench.plant import machines, model
from bench.plant.machines import Told
from bench.plant.plant import Running
from schemas.records import Production, State
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from uns.client.connection import codec
from uns.client.subscribe import Subscription

ARRIVE_S = 60.0
CLOSE_S = 120.0
"""For the last minute to end, to wait for late samples, and to be told."""
_SUMS = """SELECT l.path, t.name, sum(cardinality(c.at_us))::bigint, sum(n.value),
        sum(cardinality(c.at_us) * (extract(epoch FROM c.first_at) * 1000000)::numeric + n.at)
    FROM {0}.sample_chunk c JOIN {0}.tag t ON t.id = c.tag_id JOIN {0}.location l ON l.id = t.location_id,
        LATERAL (SELECT sum(coalesce(v.number, v.integer::double precision)) AS value, sum(v.at) AS at
                 FROM unnest(c.at_us, c.number, c.integer) AS v(at, number, integer)) n
    GROUP BY 1, 2"""


def historian(plant: Running, begin_ms: int, count: int, seconds: int) -> list[str]:
    """What is missing, too much or different: number, sum of values and of times of every tag. Empty: nothing."""
    wanted = {(path, tag): told for path, tag, told in machines.truth(begin_ms, count, seconds)}
    deadline, problems = time.monotonic() + ARRIVE_S, ["not read"]
    while problems and time.monotonic() < deadline:
        plant.check()
        with psycopg.connect(str(plant.settings.postgres)) as connection:
            problems = compared(wanted, held(connection))
    return problems


def compared(wanted: Mapping[tuple[str, str], Told], found: Mapping[tuple[str, str], Told]) -> list[str]:
    """By path and tag."""
    return [
        f"{path} {tag}: {told.number} samples, sum {told.values}; the historian has {_shown(found.get((path, tag)))}"
        for (path, tag), told in wanted.items()
        if found.get((path, tag)) != told
    ] + [f"{path} {tag}: nobody said it" for path, tag in found.keys() - wanted.keys()]


def _shown(told: Told | None) -> str:
    return "none" if told is None else f"{told.number}, sum {told.values}"


def held(connection: psycopg.Connection) -> dict[tuple[str, str], Told]:
    """What the historian has."""
    rows = connection.execute(sql.SQL(_SUMS).format(sql.Identifier(model.SCHEMA))).fetchall()
    return {(path, tag): Told(int(number), float(values), int(times)) for path, tag, number, values, times in rows}


def counts(plant: Running, numbers: Collection[int], begin_ms: int, count: int, seconds: int) -> list[str]:
    """Good pieces of the newest production records of these machines, of `count`, against those that were made, and stops by
    states. What begins with a machine's last word is not looked at: once it has been silent for long, nobody knows it."""
    wanted = {machines.path(number): machines.made(number, seconds) for number in numbers}
    stops = {machines.path(number): machines.stops(number, seconds - 1) for number in numbers}
    last = {machines.path(number): machines.at_ms(begin_ms, count, number, seconds - 1) * 1000 for number in numbers}
    newest: dict[str, Production | State] = {}
    settings, deadline = plant.settings, time.monotonic() + CLOSE_S
    classes = (MessageClass.PRODUCTION, MessageClass.STATE)
    problems: list[str] = ["not read"]
    with Subscription(settings, codec(settings), [Filter.parse("#")], classes, "beginning") as records:
        while problems and time.monotonic() < deadline:
            plant.check()
            received = records.poll(5_000, 1.0)
            for message in received:
                record = message.record
                if isinstance(record, Production | State) and str(message.path) in wanted:
                    known = newest.get(record.natural_id)
                    if known is None or known.revision < record.revision:
                        newest[record.natural_id] = record
            if not received:
                problems = differences(newest.values(), wanted, stops, last)
    return problems


def differences(
    newest: Iterable[Production | State], wanted: Mapping[str, int], stops: Mapping[str, int], last: Mapping[str, int]
) -> list[str]:
    """By path: pieces, stops, and the µs of the last word."""
    made, held = dict.fromkeys(wanted, 0), dict.fromkeys(wanted, 0)
    for record in newest:
        if isinstance(record, Production):
            made[record.path] += record.good
        elif record.state == "held" and not record.withdrawn:
            held[record.path] += record.started_at < last[record.path]
    pieces = [
        f"{path}: {made[path]} good pieces told, {number} made"
        for path, number in wanted.items()
        if made[path] != number
    ]
    return pieces + [
        f"{path}: held {held[path]} times, was so {number} times"
        for path, number in stops.items()
        if held[path] != number
    ]
