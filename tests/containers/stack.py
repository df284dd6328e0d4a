"""The compose file as a running stack, and what it holds: log, rows and ledgers, to be compared before and after."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.containers.engine import command

ROOT = Path(__file__).parents[2]
TOPIC = "acme/dallas/packaging/line-2/filler/data"
PROBE = "Probe"
TABLES = {  # rows that nothing replaces: a sample by its value, a derived record by its revision
    "samples": "select path, tag, at, value_number, value_text, value_boolean from uns.samples",
    **{name: f"select * from uns.{name}" for name in ("state", "production", "downtime", "oee")},
}
WITHOUT_PORTS = """\
services:
  registry: {ports: !reset []}
  page: {ports: !reset []}
  prometheus: {ports: !reset []}
"""


@dataclass(frozen=True)
class Held:
    """What was there at a time."""

    log: Mapping[tuple[str, int, int], str]
    """Topic, partition, offset → digest of key and value."""
    rows: Mapping[str, frozenset[str]]
    read: Mapping[str, int]
    """Connector → units it has read since its first start."""

    def missing_from(self, later: "Held") -> list[str]:
        """What was there and is not, or is something else."""
        lost = [f"{place}" for place, digest in self.log.items() if later.log.get(place) != digest]
        lost += [
            f"{table}: {row}" for table, rows in self.rows.items() for row in rows - later.rows.get(table, frozenset())
        ]
        return lost + [f"ledger of {name}" for name, units in self.read.items() if later.read.get(name, -1) < units]


@dataclass
class Stack:
    """One project of the compose file. `variables` are those of .env."""

    compose: list[str | Path]
    host: str
    folder: Path
    project: str
    variables: dict[str, str]
    published: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "ports.yml").write_text(WITHOUT_PORTS, encoding="utf-8")

    def run(self, *words: str | Path, stdin: str | None = None, timeout_s: float = 300.0) -> str:
        files = ("--file", ROOT / "docker-compose.yml", "--file", self.folder / "ports.yml")
        return command(
            *self.compose, "--project-name", self.project, *files, *words,
            env={"DOCKER_HOST": self.host, **self.variables}, stdin=stdin, timeout_s=timeout_s,
        )  # fmt: skip

    def up(self, *words: str) -> None:
        """Starts what does not run, and waits until all is healthy."""
        self.run("up", "--detach", "--no-build", "--wait", *words)

    def services(self) -> list[str]:
        return self.run("config", "--services").split()

    def state(self) -> dict[str, dict[str, Any]]:
        """Service → what `docker inspect` says of its container."""
        ids = self.run("ps", "--all", "--quiet").split()
        found = json.loads(command("docker", "--host", self.host, "inspect", *ids))
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}

    def uns(self, *words: str) -> str:
        """A command of `uns` in a container of its own."""
        return self.run("run", "--rm", "--no-deps", "--no-TTY", "apply", *words)

    def publish(self, values: Iterable[int]) -> None:
        """One message each at QoS 1; returns once the broker has acknowledged them all."""
        values, now = list(values), time.time_ns() // 1_000_000
        lines = [
            json.dumps({"at": now - len(values) + at, "values": {PROBE: value}}) for at, value in enumerate(values)
        ]
        said = "".join(f"{line}\n" for line in lines)
        self.run("exec", "--no-TTY", "mqtt", "mosquitto_pub", "-q", "1", "-t", TOPIC, "-l", stdin=said)
        self.published += values

    def probes(self) -> Counter[int]:
        """Value → how often the raw log has it."""
        said = self.uns("tail", "acme/dallas/#", "-c", "raw", "--json", "--from", "beginning", "--no-follow")
        samples = (sample for line in said.splitlines() for sample in json.loads(line).get("samples", ()))
        return Counter(sample["value"] for sample in samples if sample["tag"] == PROBE)

    def unread(self) -> set[int]:
        return set(self.published) - set(self.probes())

    def ledgers(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads(self.uns("connector", "ledger", "--json"))
        return found

    def sql(self, query: str) -> frozenset[str]:
        words = ("psql", "-U", "uns", "-At", "-c", query, "uns")
        return frozenset(self.run("exec", "--no-TTY", "postgres", *words).splitlines())

    def held(self) -> Held:
        script = ROOT / "tests" / "containers" / "read_log.py"
        said = self.run(
            "run", "--rm", "--no-deps", "--no-TTY", "--volume", f"{script}:/read_log.py:ro",
            "--entrypoint", "python3", "apply", "/read_log.py",
        )  # fmt: skip
        records = [json.loads(line) for line in said.splitlines()]
        return Held(
            {(topic, partition, offset): digest for topic, partition, offset, digest in records},
            {table: self.sql(query) for table, query in TABLES.items()},
            {name: books["read"] for name, books in self.ledgers().items()},
        )
