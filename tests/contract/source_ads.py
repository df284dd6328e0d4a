"""A simulated TwinCAT controller, polled: it has values, not times."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import strategies as st

from connectors.ads.codec import Answer, decode
from connectors.ads.kinds import LAYOUTS, Symbol
from connectors.ads.wanted import Wanted
from tests.contract.sources import ALSO, PATH
from tests.harness.ads import Controller, controller
from uns.testing import Codec, connector_contract
from uns.testing.source import T0

TAGS = {"State": ("LINT", 20), "Speed": ("LREAL", 5), "Name": ("STRING(80)", 30)}


class AdsSource:
    path = PATH
    also = ALSO
    asks_again = False
    polled = True

    def __init__(self, plc: Controller) -> None:
        self._plc = plc
        for tag, (kind, code) in TAGS.items():
            plc.add(f"MAIN.{tag}", kind, code, bytes(81 if code == 30 else 8))
        tags = {tag: {"name": f"MAIN.{tag}"} for tag in TAGS}
        machine = {"path": str(PATH), "period_s": 0.01, "tags": tags}
        self.config: dict[str, Any] = {
            "plcs": [{"url": plc.url, "timeout_s": 2, "encoding": "utf-8", "machines": [machine]}]
        }

    async def say(self, tag: str, at: int, value: object) -> None:
        """The time is the reader's affair."""
        if isinstance(value, str):
            raw = value.encode().ljust(81, b"\0")
        else:
            raw = struct.pack("<d" if TAGS[tag][0] == "LREAL" else "<q", value)
        self._plc.write(f"MAIN.{tag}", raw)

    async def babble(self) -> None:
        """A text that is no UTF-8."""
        self._plc.write("MAIN.Name", b"\xff\xfe".ljust(81, b"\0"))

    async def vanish(self) -> None:
        self._plc.stop()


@asynccontextmanager
async def ads() -> AsyncIterator[AdsSource]:
    async with controller() as plc:
        yield AdsSource(plc)


TYPES = [kind.upper() for kind in (*LAYOUTS, "string", "wstring")] + ["STRING(7)", "ARRAY [0..3] OF INT", "E_State", ""]
CONTRACT = connector_contract(
    "ads",
    lambda _request: ads(),
    Codec(
        st.tuples(
            st.builds(
                Wanted,
                st.just(PATH),
                st.just("Tag"),
                st.just("MAIN.Tag"),
                count=st.none() | st.integers(1, 4),
                bit=st.none() | st.integers(0, 63),
                type=st.none() | st.sampled_from([*LAYOUTS, "string", "wstring"]),
            ),
            st.builds(
                Answer,
                st.builds(
                    Symbol, st.integers(0, 40), st.integers(0, 66), st.sampled_from(TYPES) | st.text(max_size=20)
                ),
                st.binary(max_size=40),
                st.booleans(),
            ),
        ),
        lambda said: decode(said[0], said[1], T0, "plc", "utf-8", None),
    ),
    away=lambda port: {
        "plcs": [
            {"url": f"ads://127.0.0.1:{port}/5.12.82.20.1.1", "machines": [{"path": str(PATH), "tags": {"A": {}}}]},
        ]
    },
)
