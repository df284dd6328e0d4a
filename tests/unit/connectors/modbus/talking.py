"""Modbus connectors for conversations with scripted devices."""

from typing import Any

from connectors.modbus.config import ModbusConfig
from connectors.modbus.connector import ModbusConnector
from tests.harness.polling import PATH
from tests.unit.connectors.modbus.scripted import Answer, Request, device
from uns.testing.patience import patient

OTHER = "acme/dallas/packaging/line-1/capper"
A = {"A": {"address": 0}}


def build(*links: dict[str, Any]) -> ModbusConnector:
    return ModbusConnector("test", ModbusConfig.model_validate({"links": links}))


def link(url: str, tags: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    device: dict[str, Any] = {
        "path": PATH,
        "period_s": options.pop("period_s", 0.05),
        "tags": A if tags is None else tags,
    }
    device |= {name: options.pop(name) for name in ("unit", "sunspec", "gap", "path") if name in options}
    devices = options.pop("devices", [device])
    return {"url": url, "timeout_s": timeout_s(), "devices": devices, **options}


def timeout_s() -> float:
    """Long enough for an answer out of this very process, however busy the machine is."""
    return patient(0.2)


def sometimes(*answers: Answer) -> Answer:
    """The first request is answered by the first, the second by the second, …, those after by the last."""
    count = 0

    async def answer(request: Request) -> bytes | None:
        nonlocal count
        count += 1
        return await answers[min(count, len(answers)) - 1](request)

    return answer


async def nothing(_request: Request) -> bytes | None:
    return None


GOOD_DEVICE = device(dict.fromkeys(range(200), 5))
