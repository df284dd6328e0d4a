"""Connectors and sinks of a plant as Kafka Connect has them: names, configuration without secrets, state. Pure but for `read`."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from topology.cluster import desired
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.topics import parse_topic
from uns.runners.connector import health as of_connectors
from uns.runners.connector.ledger import FOLDER as CONNECTORS
from uns.runners.sink import health as of_sinks
from uns.runtime import wish
from uns.runtime.telemetry import mask_text, masked

RUNNING, PAUSED, FAILED, UNASSIGNED = "RUNNING", "PAUSED", "FAILED", "UNASSIGNED"
SOURCE, SINK = "source", "sink"


class Health(Protocol):
    """What both kinds say of themselves."""

    @property
    def problems(self) -> tuple[str, ...]: ...
    def runs(self, now_s: float) -> bool: ...


class Part(NamedTuple):
    """A connector or a sink. `folder`: where its wish is."""

    name: str
    type: str
    kind: str
    own: str
    """Its name in the plant model."""
    config: Mapping[str, str]
    topics: tuple[str, ...]


class Seen(NamedTuple):
    """How a part is, as its folder on this machine says. `folder` None: it has never run here."""

    folder: Path | None
    health: Health | None
    wish: wish.Wish


NOWHERE = Seen(None, None, wish.Wish())


def parts(plant: Plant) -> dict[str, Part]:
    """Name → part; `connector-` and `sink-` before the model's names, which may be the same."""
    topics = [(name, *parse_topic(name)) for name in desired(plant).topics]
    made = {}
    for name, connector in plant.connectors.items():
        config = flat(connector.model_dump(mode="json"), f"uns.connectors.{connector.protocol}", connector.protocol)
        raw = tuple(topic_ for topic_, _, kind in topics if kind is MessageClass.RAW)
        made[f"connector-{name}"] = Part(f"connector-{name}", SOURCE, connector.protocol, name, config, raw)
    for name, sink in plant.sinks.items():
        config = flat(sink.model_dump(mode="json"), f"uns.sinks.{sink.kind}", sink.kind)
        wanted = Filter.parse(sink.subscribe.filter)
        read = tuple(
            topic_ for topic_, place, kind in topics if kind in sink.subscribe.classes and wanted.may_match_under(place)
        )
        config = {**config, "topics": ",".join(read)}
        made[f"sink-{name}"] = Part(f"sink-{name}", SINK, sink.kind, name, config, read)
    return made


def flat(model: Mapping[str, Any], class_: str, kind: str) -> dict[str, str]:
    """A part's configuration as Connect has it: texts by dotted name. Every text is masked, for the model may hold secrets."""
    texts = {"connector.class": class_, "tasks.max": "1"}
    for key, value in _leaves(masked(None, "", dict(model))):
        texts[key] = value if isinstance(value, str) else json.dumps(value)
    return texts


def _leaves(value: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for key, part in value.items():
        if isinstance(part, Mapping) and part:
            yield from _leaves(part, f"{above}{key}.")
        elif part is not None:
            yield f"{above}{key}", _masked(part)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, list | tuple):
        return [masked(None, "", dict(each)) if isinstance(each, Mapping) else _masked(each) for each in value]
    return value


def state(seen: Seen, now_s: float) -> str:
    """Of a part; it is paused once it was wished, for it obeys within a second."""
    runs = seen.health is not None and seen.health.runs(now_s)
    if seen.wish.paused:
        return PAUSED
    if not runs or seen.health is None:
        return UNASSIGNED
    return FAILED if seen.health.problems else RUNNING


def status(part: Part, seen: Seen, worker: str, now_s: float) -> dict[str, Any]:
    """As `GET /connectors/NAME/status` answers."""
    found = state(seen, now_s)
    whole = RUNNING if found == FAILED else found  # in Connect a task fails, its connector runs
    return {
        "name": part.name,
        "connector": {"state": whole, "worker_id": worker},
        "tasks": [task(seen, worker, now_s)],
        "type": part.type,
    }


def task(seen: Seen, worker: str, now_s: float) -> dict[str, Any]:
    """Its only task."""
    found = state(seen, now_s)
    told: dict[str, Any] = {"id": 0, "state": found, "worker_id": worker}
    if found == FAILED and seen.health is not None:
        told["trace"] = "\n".join(mask_text(words) for words in seen.health.problems)
    return told


def info(part: Part) -> dict[str, Any]:
    """As `GET /connectors/NAME` answers."""
    return {
        "name": part.name,
        "config": {"name": part.name, **part.config},
        "tasks": [{"connector": part.name, "task": 0}],
        "type": part.type,
    }


def read(state_dirs: Iterable[Path]) -> Callable[[Part], Seen]:
    """What the folders of this machine say, as of now."""
    seen: dict[tuple[str, str], tuple[Path, Health | None]] = {}
    for folder in state_dirs:
        for name, said in of_connectors.read_health(folder).items():
            seen[SOURCE, name] = (folder / CONNECTORS / name, said)
        for name, told in of_sinks.read_health(folder).items():
            seen[SINK, name] = (folder / of_sinks.FOLDER / name, told)

    def of(part: Part) -> Seen:
        found = seen.get((part.type, part.own))
        return NOWHERE if found is None else Seen(*found, wish.read(found[0]))

    return of
