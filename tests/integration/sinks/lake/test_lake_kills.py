"""A lake whose writer is killed at any time holds each row of the log exactly once."""

import multiprocessing
import random
import time
from pathlib import Path

import pytest

from tests.integration.sinks.lake.log import RAW, active, log, stored, wanted, write
from uns.testing.patience import patient

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.integration.sinks.lake.log"])


def run(url: str, records: int, seed: int, kill: tuple[str, int] | None, after_s: float | None) -> int:
    """Exit code of a writer that dies by itself, is killed after a time, or comes to its end."""
    config = {"commit_s": 0, "file_mb": 1, "keep_h": 1}
    process = FORKS.Process(target=write, args=(url, records, seed, kill, config))
    process.start()
    if after_s is not None:
        time.sleep(after_s)  # the moment of the kill, not a wait for anything
        process.kill()
    process.join(patient(120))
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kills", "records"), [(8, 1_500), pytest.param(50, 9_000, marks=pytest.mark.long)])
def test_kills_between_files_commits_and_offsets_lose_and_double_nothing(
    tmp_path: Path, kills: int, records: int
) -> None:
    url = str(tmp_path / "lake")
    chance = random.Random(13)
    codes = []
    for number in range(kills):
        exact = (chance.choice(("before", "after")), chance.randint(1, 6)) if number % 2 else None
        codes.append(run(url, records, number, exact, None if exact else chance.uniform(0.1, 1.2)))
    assert codes.count(-9) >= kills / 2, codes  # one that has come to the end before is no kill
    assert run(url, records, 99, None, None) == 0
    tables = wanted(records)
    assert set(tables) == {"samples", "fact_order", "downtime"}
    found = stored(url, list(tables))
    for name, rows in tables.items():
        missing, twice = rows - found[name], found[name] - rows
        assert (missing.total(), twice.total()) == (0, 0), name
    ends = {place: deliveries[-1].offset + 2 for place, deliveries in log(records).items()}
    versions = active(Path(url) / "samples")[1]
    assert {p: versions[f"lake/{RAW}/{p}"] for p in (0, 1)} == {p: ends[RAW, p] for p in (0, 1)}
