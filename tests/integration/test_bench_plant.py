"""What `make bench-plant` finds in a historian is what was said; one sample less, one changed or one too many is seen."""

import asyncio
from pathlib import Path

import psycopg

from bench.plant import checks, machines, model
from schemas.records import Sample, Samples
from sinks.base import Delivery
from sinks.historian import spec
from topology.namespace.classes import MessageClass

BEGIN_MS, COUNT, SECONDS = 1_795_413_600_000, 3, 70
"""Long enough for chunks to be packed."""


async def _written(dsn: str) -> None:
    sink = spec.build("bench", spec.config.model_validate({"dsn": dsn, "schema_name": model.SCHEMA}), Path())
    await sink.open()
    for second in range(SECONDS):
        batch = []
        for number in range(COUNT):
            at = machines.at_ms(BEGIN_MS, COUNT, number, second) * 1000
            said = tuple(Sample(tag, at, value) for tag, value in machines.values(number, second).items())
            offset = second * COUNT + number
            batch.append(Delivery("uns.bench.site.area.raw", 0, offset, machines.path(number), MessageClass.RAW, Samples("plc", second + 1, said), at))  # fmt: skip
        assert not await sink.write(batch, {(batch[0].topic, 0): batch[-1].offset + 1})
    await sink.close()


CHANGES = {
    "SELECT 1": 0,
    "UPDATE {0}.sample_chunk SET number[1] = number[1] + 1 WHERE tag_id = (SELECT max(tag_id) FROM {0}.sample_chunk WHERE number IS NOT NULL)": 1,
    "DELETE FROM {0}.sample_chunk WHERE tag_id = (SELECT min(tag_id) FROM {0}.sample_chunk)": 1,
    "UPDATE {0}.sample_chunk SET at_us[1] = at_us[1] + 1 WHERE tag_id = (SELECT max(tag_id) FROM {0}.sample_chunk)": 1,
    "UPDATE {0}.tag SET name = 'Stranger' WHERE id = (SELECT min(id) FROM {0}.tag)": 2,
}  # fmt: skip
"""What is done to the database, and how many tags are wrong then."""


def test_what_is_wrong_in_the_historian_is_seen(postgres: str) -> None:
    drop = f"DROP SCHEMA IF EXISTS {model.SCHEMA} CASCADE"
    wanted = {(path, tag): told for path, tag, told in machines.truth(BEGIN_MS, COUNT, SECONDS)}
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(drop)
        asyncio.run(_written(postgres))
        for change, wrong in CHANGES.items():
            with connection.transaction(force_rollback=True):
                connection.execute(change.format(model.SCHEMA))
                assert len(checks.compared(wanted, checks.held(connection))) == wrong, change
        connection.execute(drop)
