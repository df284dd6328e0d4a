"""Work orders as a plant would ask for them, and a process that writes stops through the REST sink until nothing is left, to
be killed: `rest_process.py CONFIG FOLDER COUNT`.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from schemas.records import Downtime
from tests.contract.rest_writing import delivered
from uns.testing import delivery, downtime

CELLS = tuple(f"acme/dallas/packaging/line-{n}/filler" for n in (1, 2))
CAUSES = (201, 202)


def config(url: str, **group: Any) -> dict[str, Any]:
    """Work orders as a plant would ask for them; `group`: more of `object`, null takes away."""
    order = {
        "title": "{path[3]} {path[4]}: {reason|fault}",
        "external_id": "{natural_id}",
        "status": "OPEN",
        "priority": "{{ 'HIGH' if times > 2 or minutes > 60 else 'LOW' }}",
        "asset": "{path}",
        "cause": "{reason_code}",
        "seen": {"from": "{first_at}", "until": "{last_at}", "page": "{page_url}"},
        "times": "{times}",
        "minutes": "{minutes}",
        "withheld": "{withheld}",
    }
    changing = {name: order[name] for name in ("priority", "seen", "times", "minutes")}
    comment = {"workOrderId": "{remote_id}", "external_id": "{natural_id}", "text": "again at {started_at}"}
    shared = {
        "key": "{path}/{reason_code|none}",
        "there": {"url": "/workOrders/{remote_id}", "open": "{{ body.status == 'OPEN' }}"},
        "comment": {
            "url": "/comments",
            "body": comment | {"withheld": "{withheld}"},
            "lookup": {"url": "/comments?external_id={natural_id}"},
        },
    }
    return {
        "base_url": url,
        "timeout_s": 5,
        "settle_s": 0,
        "page_url": "https://uns.example.com/line",
        "requests": [
            {
                "class": "downtime",
                "when": {"category": "breakdown"},
                "create": {"url": "/workOrders", "body": order},
                "lookup": {"url": "/workOrders?external_id={natural_id}"},
                "update": {"method": "PATCH", "url": "/workOrders/{remote_id}", "body": changing},
                "object": {name: part for name, part in {**shared, **group}.items() if part is not None},
            }
        ],
    }


def stop(number: int, revision: int = 0, **more: object) -> Downtime:
    """A breakdown; its machine and cause follow from the number."""
    made = downtime(number, revision, path=CELLS[number % 2])
    fields = {"category": "breakdown", "reason_code": CAUSES[number // 2 % 2], "reason": "drive fault", **more}
    return msgspec.structs.replace(made, **fields)


def history(count: int) -> list[Downtime]:
    """Each third stop is told of while it lasts, and again once it is over."""
    made: list[Downtime] = []
    for number in range(count):
        if number % 3 == 0:
            made.append(stop(number, ended_at=None, status="provisional"))
        made.append(stop(number, 1 if number % 3 == 0 else 0))
    return made


def main() -> None:
    config, folder, count = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    made = [delivery(record, n) for n, record in enumerate(history(count))]
    asyncio.run(delivered(config, folder, made, 120))
    print("written", flush=True)


if __name__ == "__main__":
    main()
