"""A historian as a process of its own that is to be killed: reads a log of its own from where the database says."""

import asyncio
import random
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[4]))

from schemas.records import Sample, Samples
from tests.harness.records import T

LOG = 2_000


def record(number: int) -> Samples:
    """Every tenth is late, every seventh corrects what the one before has said."""
    at = T + (number - number % 10 // 9 * 50 - (number % 7 == 6)) * 1_000_000
    return Samples("plc", number, (Sample("Good", at, number), Sample("Speed", at, number / 3)))


async def main(dsn: str, schema: str, seed: int) -> None:
    from tests.integration.sinks.historian.database import RAW, Database, delivery

    sink = Database(dsn, schema).sink()
    await sink.open()
    begin = (await sink.positions()).get((RAW, 1), 0)
    sizes = random.Random(seed)
    while begin < LOG:
        # What a crash left unsaid to Kafka comes again: some records from before the position.
        first, end = max(0, begin - sizes.randrange(3)), min(LOG, begin + sizes.randrange(1, 12))
        await sink.write([delivery(record(n), n) for n in range(first, end)], {(RAW, 1): end})
        print("committed", end, flush=True)
        begin = end
    await sink.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
