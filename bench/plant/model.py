"""The plant of the bench as a plant model: one area, lines of ten machines, one connector, the historian."""

from pathlib import Path

import yaml

from bench.plant import machines

TICK_S = 0.5
"""Half of the default: a derived record is told at a tick, so that with one a second none would be there within the second."""
HISTORIAN = "historian"
SCHEMA = "bench_plant"
CONNECTOR = "plc"
ENTERPRISE = machines.AREA.partition("/")[0]


def write(folder: Path, count: int, partitions: int, broker: str, dsn: str, tick_s: float = TICK_S) -> None:
    _, site, area = machines.AREA.split("/")
    lines: dict[str, dict[str, dict[str, str]]] = {}
    for number in range(count):
        _, line, cell = machines.path(number).rsplit("/", 2)
        lines.setdefault(line, {"cells": {}})["cells"][cell] = "machine"
    tags = {
        "State": {"role": "state", "map": "packml"},
        "Good": {"role": "good_count"},
        "Scrap": {"role": "scrap_count"},
        "Weight": {"role": "characteristic", "unit": "kg", "lsl": 9, "usl": 11},
    }
    document = {
        "namespace": {
            "enterprise": ENTERPRISE,
            "sites": {site: {"areas": {area: {"partitions": partitions, "lines": lines}}}},
        },
        "types": {"machine": {"tags": tags, "ideal_cycle_s": 2.0}},
        "time": {"tick_s": tick_s},
        "connectors": {
            CONNECTOR: {
                "protocol": "mqtt",
                "config": {
                    "broker": broker,
                    "client_id": "bench-plant",
                    "subscriptions": [{"topic": "+/+/+/+/+/data", "path": "{0}/{1}/{2}/{3}/{4}", "payload": "samples"}],
                },
            }
        },
        "sinks": {
            HISTORIAN: {
                "kind": "historian",
                "subscribe": {
                    "filter": f"{ENTERPRISE}/#",
                    "classes": ["raw", "state", "production", "downtime", "oee", "quality", "alert"],
                },
                "config": {"dsn": dsn, "schema_name": SCHEMA},
            }
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plant.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
