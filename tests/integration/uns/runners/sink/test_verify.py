"""`uns sink verify` on real targets: it finds what is missing, twice or different, and nothing else."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas.records import Sample, Samples
from tests.contract.rest_server import RestServer
from tests.harness import eventually
from tests.integration.uns.runners.sink.site import DEADLINE_S, History, Site, T
from uns.testing import downtime

_MEASURED = """
import resource, sys
from uns.cli.app import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Not ru_maxrss: it counts the process that forked this one.
    most = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(used.ru_utime + used.ru_stime, most, file=sys.stderr)
"""


class Used(NamedTuple):
    cpu_s: float
    megabytes: float
    """At most."""


def verified(site: Site, *arguments: str) -> tuple[int, dict[str, Any], Used]:
    """(exit code, what was said, what it took)."""
    environ = {name: value for name, value in site._environ.items() if name != "UNS_METRICS_PORT"}
    command = [sys.executable, "-c", _MEASURED, "sink", "verify", site.kind, "--json", *arguments]
    said = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, check=False)
    assert said.stdout, said.stderr
    cpu_s, kilobytes = said.stderr.split()[-2:]
    return said.returncode, json.loads(said.stdout), Used(float(cpu_s), int(kilobytes) / 1024)


@pytest.fixture
def history(tmp_path: Path, kafka: str, registry: str, postgres: str, enterprise: str) -> Iterator[History]:
    found = History(tmp_path, kafka, registry, postgres, enterprise)
    yield found
    found.stop()
    found.ask("DROP SCHEMA IF EXISTS {} CASCADE")


COLUMNS = ("at_us", "number", "integer", "text", "boolean", "quality", "offsets", "sequences")
"""Of a chunk: one element a sample each, or NULL."""


def tamper(history: History, at: datetime, other: Callable[[str], str], columns: Iterable[str] = COLUMNS) -> None:
    """Makes something else of the one sample of a time, the k-th of its chunk."""
    place = f"array_position(at_us, (extract(epoch FROM '{at.isoformat()}'::timestamptz - first_at) * 1000000)::bigint)"
    told = ", ".join(f"{column} = {other(column).replace('k', 'place.k')}" for column in columns)
    history.ask(
        f"UPDATE {{0}}.sample_chunk AS chunk SET {told} FROM (SELECT tag_id, first_at, {place} AS k FROM {{0}}.sample_chunk) "
        "AS place WHERE place.k IS NOT NULL AND chunk.tag_id = place.tag_id AND chunk.first_at = place.first_at"
    )


SPAN = ("--from", "2026-01-01T00:00Z", "--to", "2027-12-31T00:00Z")


@pytest.mark.parametrize("count", [4_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_a_historian_lacks_one_row_has_one_twice_and_one_changed(history: History, count: int) -> None:
    values: list[Any] = [1.5, 17, "text", True, None, 2**63 - 1, float("-inf")]
    for begin in range(0, count, 500):
        cell = history.cells[begin // 500 % 3]
        samples = (Sample(f"Tag {n % 40}", T + n * 1000, values[n % 7], n % 3) for n in range(begin, begin + 500))
        history.tell(cell, Samples("plc", begin, tuple(samples)))
    for n in range(20):
        for revision in range(2):
            history.tell(history.cells[n % 3], downtime(n, revision, "jäm", str(history.cells[n % 3])))
    history.producer.flush()
    history.start()
    history.drained()
    wanted = count + 40
    code, said, _ = verified(history, *SPAN)
    assert (code, said["equal"], said["wanted"], said["found"], said["beyond"]) == (0, True, wanted, wanted, 0)

    history.stop()
    # By hand, as somebody who repairs a database would.
    history.ask("ALTER TABLE {}.downtime DROP CONSTRAINT downtime_pkey")
    key = "SELECT path || ' ' || tag || ' ' || (extract(epoch FROM at) * 1000000)::bigint FROM {}.samples"
    keys = [row[0] for row in history.ask(f"{key} ORDER BY at OFFSET {count // 2} LIMIT 3")]
    at = [row[0] for row in history.ask(f"SELECT at FROM {{}}.samples ORDER BY at OFFSET {count // 2} LIMIT 3")]
    tamper(history, at[0], lambda column: f"{column}[:k - 1] || {column}[k + 1:]")
    tamper(history, at[1], lambda column: f"{column}[:k] || {column}[k:]")
    tamper(history, at[2], lambda column: f"{column}[:k - 1] || {column}[k] + 1 || {column}[k + 1:]", ("quality",))
    changed = downtime(7, 1, "", str(history.cells[7 % 3])).id
    history.ask(f"UPDATE {{}}.downtime SET reason = 'other' WHERE id = '{changed}'")
    begun = time.monotonic()
    code, said, used = verified(history, *SPAN)
    took_s = time.monotonic() - begun
    print(f"{count} samples: {took_s:.1f} s, {used.cpu_s:.1f} s of a core, {used.megabytes:.0f} MB at most")
    assert (code, said["counts"]) == (1, {"missing": 1, "twice": 1, "different": 2})
    assert {(each["kind"], each["key"]) for each in said["differences"]} == {
        ("missing", keys[0]),
        ("twice", keys[1]),
        ("different", keys[2]),
        ("different", changed),
    }
    assert used.megabytes < 400

    # Outside of the span nothing is looked at, and a row that no topic says is told, and no difference.
    code, said, _ = verified(history, "--from", "2026-01-01T00:00Z", "--to", "2026-01-02T00:00Z")
    assert (code, said["wanted"], said["found"]) == (0, 0, 0)


def test_what_is_not_written_yet_and_what_is_in_quarantine_is_left_out(history: History) -> None:
    cell = history.cells[0]
    history.tell(cell, Samples("plc", 1, (Sample("Good\x00", T, 1),)))
    history.tell(cell, Samples("plc", 2, (Sample("Good", T, 1),)))
    history.producer.flush()
    history.start()
    history.drained()
    history.stop()
    history.tell(cell, Samples("plc", 3, (Sample("Good", T + 5, 1), Sample("Good", T, 2))))
    history.producer.flush()
    code, said, _ = verified(history, *SPAN)
    assert (code, said["equal"], said["pending"], said["quarantined"]) == (0, True, 1, 1)


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer().serving() as found:
        yield found


@pytest.fixture
def orders(tmp_path: Path, kafka: str, registry: str, enterprise: str, server: RestServer) -> Iterator[Site]:
    found = Site(tmp_path, kafka, registry, enterprise, "rest", server.config)
    yield found
    found.stop()


def test_a_target_that_is_asked_for_each_object(orders: Site, server: RestServer) -> None:
    cell = orders.cells[0]
    for n in range(30):
        orders.tell(cell, downtime(n, 0, f"reason {n}", str(cell)))
    orders.tell(cell, downtime(4, 1, "corrected", str(cell)))
    orders.producer.flush()
    orders.start()
    orders.drained()
    code, said, _ = verified(orders, *SPAN)
    assert (code, said["wanted"], said["found"], said["beyond"]) == (0, 30, 30, 0)
    natural_ids = [downtime(n, path=str(cell)).natural_id for n in range(30)]

    def of(n: int) -> dict[str, Any]:
        return next(one for one in server.objects if one["external_id"] == natural_ids[n])

    of(1)["external_id"] = "gone"
    of(4)["reason"] = "as it was"
    server.objects.append({**of(9), "id": 999})
    code, said, _ = verified(orders, *SPAN)
    assert code == 1
    assert {(each["kind"], each["key"]) for each in said["differences"]} == {
        ("missing", f"downtime {natural_ids[1]}"),
        ("different", f"downtime {natural_ids[4]}"),
        ("twice", f"downtime {natural_ids[9]}"),
    }
    [other] = [each for each in said["differences"] if each["kind"] == "different"]
    assert other["words"] == "reason is 'as it was', sent 'corrected'"
    assert eventually(orders.running, DEADLINE_S), "the sink goes on beside it"
