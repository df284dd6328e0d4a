"""Whatever an edge node might say, as a conversation: for the fuzzer."""

from typing import Any

from hypothesis import strategies as st

from connectors.base import Said
from connectors.sparkplug.config import SparkplugConfig
from connectors.sparkplug.host import Host
from connectors.sparkplug.schema import Payload
from uns.testing.connectors import T0

NAMES = st.sampled_from(["State", "a/b", "bdSeq", "Node Control/Rebirth", "Ä", "", "\0", "x" * 200])
INTEGERS = st.sampled_from([0, 1, 12, 2**31, 2**32 - 12, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
TIMES = st.sampled_from([T0 // 1000, T0 // 1000 + 1, 0, 1, 2**63, 2**64 - 1])
REALS = st.floats()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def _valued(holder: Any, value: tuple[str, Any]) -> None:
    kind, said = value
    setattr(holder, kind, said % 2**32 if kind == "int_value" else said)


VALUES = st.one_of(
    st.tuples(st.just("int_value"), INTEGERS),
    st.tuples(st.just("long_value"), INTEGERS),
    st.tuples(st.just("float_value"), st.floats(width=32)),
    st.tuples(st.just("double_value"), REALS),
    st.tuples(st.just("boolean_value"), st.booleans()),
    st.tuples(st.just("string_value"), TEXTS),
)
BYTES = st.tuples(st.just("bytes_value"), st.binary(max_size=20))


@st.composite
def metrics(draw: st.DrawFn, depth: int = 2) -> Any:
    payload = Payload()
    metric = payload.metrics.add()
    if draw(st.booleans()):
        metric.name = draw(NAMES)
    if draw(st.booleans()):
        metric.alias = draw(st.integers(0, 3))
    if draw(st.booleans()):
        metric.timestamp = draw(TIMES)
    if draw(st.booleans()):
        metric.datatype = draw(st.integers(0, 36))
    metric.is_null, metric.is_historical = draw(st.booleans()), draw(st.booleans())
    if draw(st.booleans()):
        metric.properties.keys.append("Quality")
        if draw(st.booleans()):
            _valued(metric.properties.values.add(type=3), draw(VALUES))
    what = draw(st.integers(0, 4))
    if what < 2:
        _valued(metric, draw(VALUES | BYTES))
    elif what == 2:
        columns = draw(st.lists(TEXTS, max_size=3))
        metric.dataset_value.columns.extend(columns)
        metric.dataset_value.types.extend(draw(st.integers(0, 15)) for _ in columns)
        for _ in range(draw(st.integers(0, 2))):
            row = metric.dataset_value.rows.add()
            for _ in columns:
                _valued(row.elements.add(), draw(VALUES))
        metric.datatype = 16
    elif what == 3 and depth:
        metric.template_value.is_definition = draw(st.booleans())
        metric.template_value.metrics.extend(draw(st.lists(metrics(depth=depth - 1), max_size=2)))
        _valued(metric.template_value.parameters.add(name="P", type=draw(st.integers(0, 15))), draw(VALUES))
        metric.datatype = 19
    return metric


@st.composite
def sessions(draw: st.DrawFn) -> list[tuple[str, bytes, int]]:
    """Two births and data after them, numbered as they should be; what stands in them is anything."""
    kinds = ["NBIRTH/n", "DBIRTH/n/d", *draw(st.lists(st.sampled_from(["NDATA/n", "DDATA/n/d", "DDEATH/n/d"]), max_size=4))]  # fmt: skip
    messages = []
    for seq, kind in enumerate(kinds):
        payload = Payload(seq=seq, timestamp=T0 // 1000 + seq)
        for alias, metric in enumerate(draw(st.lists(metrics(), min_size=1, max_size=4))):
            metric.alias = alias
            if seq < 2:
                metric.name = metric.name or f"M{alias}"
            else:
                metric.ClearField("name")
            payload.metrics.append(metric)
        messages.append((f"spBv1.0/g/{kind}", bytes(payload.SerializeToString()), 1000))
    return messages


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    payload = Payload(seq=draw(st.integers(0, 3) | INTEGERS))
    if draw(st.booleans()):
        payload.timestamp = draw(TIMES)
    payload.metrics.extend(draw(st.lists(metrics(), max_size=3)))
    data = bytes(payload.SerializeToString())
    cut = draw(st.integers(0, 5))
    return data[:-cut] if cut and draw(st.booleans()) else data


TOPICS = st.sampled_from(
    [f"spBv1.0/g/{kind}/n{end}" for kind in ("NBIRTH", "NDEATH", "NDATA") for end in ("", "/d")]
    + [f"spBv1.0/g/{kind}/n/d" for kind in ("DBIRTH", "DDEATH", "DDATA")]
)
SPARKPLUG_MESSAGES = sessions() | st.lists(
    st.tuples(TOPICS, payloads() | st.binary(max_size=30), st.integers(0, 3_000_000)), min_size=1, max_size=5
)
CONFIG = SparkplugConfig.model_validate(
    {
        "brokers": [{"url": "mqtt://127.0.0.1"}],
        "host_id": "fuzz",
        "sources": [
            {"edge": "g/n", "path": "acme/dallas/{0}", "levels": "spelled"},
            {"edge": "g/n/+", "path": "acme/dallas/packaging/{device}", "tag": "{metric}"},
        ],
    }
)


def sparkplug_said(messages: list[tuple[str, bytes, int]]) -> list[Said]:
    """What a host makes of a conversation, time and its end included."""
    host, now, said = Host(CONFIG), T0, list[Said]()
    for topic, data, later in messages:
        now += later
        said += host.message(topic, data, now)
        said += host.tick(now)
        host.asks(now)
    return [*said, *host.tick(now + 60_000_000), *host.lost(0, now + 60_000_000)]
