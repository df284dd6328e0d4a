"""The wire: one connection, one request at a time; names become handles, and handles values."""

import asyncio
import struct
import time
from collections.abc import Iterator, Sequence

from connectors.ads.answer import Entry, entry, number, replies, table, values
from connectors.ads.codec import Answer, unfit
from connectors.ads.config import Plc
from connectors.ads.kinds import Symbol
from connectors.ads.library import Library
from connectors.ads.quality import PORT_NOT_FOUND, RUN, STALE, not_there, of_code, stopped
from connectors.ads.wanted import Wanted
from connectors.kit.polling.blocking import BlockingWire
from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.quality import BAD_NOT_SUPPORTED, BAD_WAITING_FOR_INITIAL_DATA
from connectors.kit.polling.wire import Garbled, Refused, Silent, WireLost

HANDLE_BY_NAME, VALUE_BY_HANDLE, RELEASE_HANDLE, INFO_BY_NAME = 0xF003, 0xF005, 0xF006, 0xF009
UPLOAD, UPLOAD_INFO = 0xF00B, 0xF00F
SUM_READ, SUM_WRITE, SUM_ASK = 0xF080, 0xF081, 0xF082
SYSTEM_PORT = 10_000
NAMES_MAX = 50
"""Names that are looked up in one request."""
HANDLES_MAX = 500
ENTRY_MAX = 1024
"""Bytes of a symbol, names and comment included."""
BYTES_MAX = 32_768
"""Bytes of values in one request."""
TABLE_TIMEOUT_S = 60.0
TABLE_MAX = 64 * 1024 * 1024
_NOT_YET = Refusal(BAD_WAITING_FOR_INITIAL_DATA, "it is not looked up yet", lasting=False)
_TOO_LARGE = Refusal(BAD_NOT_SUPPORTED, f"it has more than {BYTES_MAX} bytes; name its elements")
Key = tuple[int, str]
"""A program's AMS port, and a name."""
Told = tuple[Symbol, bytes] | int | Refusal
"""Of a variable its bytes, the error in their place, or why it was not asked for."""


class AdsWire(BlockingWire):
    """One connection: `open` it once, then `ask`, one at a time; `close` may be called at any time."""

    def __init__(self, plc: Plc, own_net_id: str | None) -> None:
        super().__init__(plc.url, plc.timeout_s, plc.connect_timeout_s)
        self._plc, self._own_net_id = plc, own_net_id
        self._library = Library(plc.host, plc.net_id, plc.timeout_s)
        self._symbols: dict[Key, Symbol] = {}
        """With a handle each, which is to be given back."""
        self._sound = False
        """Whether the last call came back well: else nothing is given back."""
        self.troubles: dict[int, str] = {}
        """By AMS port why its program does not run."""

    def _connect(self) -> None:
        self._library.open(self._own_net_id, self._connect_timeout_s)
        try:
            self._state(self._plc.port)
        except Silent as silent:
            raise WireLost(
                f"{self._url} cannot be reached: {silent}; has it a route to {self._library.own()} at our address?"
            ) from None
        except WireLost:
            raise WireLost(
                f"{self._url} has closed the connection; has it a route to {self._library.own()} at our address, "
                "and does another program on this machine talk to it?"
            ) from None
        except Refused:
            pass  # it is there; what is wrong with the program, each request says

    def _state(self, port: int) -> int:
        """Of the program on a port. Raises what `Wire.ask` raises."""
        try:
            state = self._library.state(port)
        except Refused as refused:
            if refused.code == PORT_NOT_FOUND:
                self.troubles[port] = not_there(port, self._system())
            else:
                self.troubles[port] = of_code(refused.code).words
            raise
        if state == RUN:
            self.troubles.pop(port, None)
        else:
            self.troubles[port] = stopped(port, state)
        return state

    def _system(self) -> int | None:
        """The state of TwinCAT itself, where it says one."""
        try:
            return self._library.state(SYSTEM_PORT)
        except (Refused, Silent):
            return None

    def _read(self, items: Sequence[Wanted]) -> list[Answer | Refusal]:
        """What each says; all are of one program."""
        self._sound = False
        try:
            said = self._told(items[0].port, items)
        except Refused:  # by one program; the others' handles are good
            self._sound = True
            raise
        self._sound = True
        return said

    def _told(self, port: int, items: Sequence[Wanted]) -> list[Answer | Refusal]:
        running = self._state(port) == RUN
        until = time.monotonic() + self._timeout_s / 2
        found = self._values(port, items, self._looked_up(port, items, until))
        changed = [item for item in items if isinstance(code := found[item], int) and code in STALE]
        if changed:
            self._forget(port, changed)
            found |= self._values(port, changed, self._looked_up(port, changed, until))
        # What is refused is looked up anew when it is asked for again: until then it may have been changed.
        self._forget(port, [item for item in items if _lasts(found[item])])
        return [self._said(found[item], running) for item in items]

    @staticmethod
    def _said(found: Told, running: bool) -> Answer | Refusal:
        match found:
            case Refusal():
                return found
            case int():
                return of_code(found)
            case (symbol, data):
                return Answer(symbol, data, running)

    # -- names ---------------------------------------------------------------------------------------------------

    def _looked_up(self, port: int, items: Sequence[Wanted], until: float) -> dict[str, Refusal]:
        """Why names have no handle: those that had none are asked for, as far as time goes."""
        unknown = list(dict.fromkeys(item.name for item in items if (port, item.name) not in self._symbols))
        refused: dict[str, Refusal] = {}
        for at in range(0, len(unknown), NAMES_MAX):
            if at and time.monotonic() > until:
                return refused | dict.fromkeys(unknown[at:], _NOT_YET)
            names = unknown[at : at + NAMES_MAX]
            for name, symbol in zip(names, self._ask_names(port, names), strict=True):
                if isinstance(symbol, int):
                    refused[name] = of_code(symbol)
                else:
                    self._symbols[port, name] = symbol
        return refused

    def _ask_names(self, port: int, names: Sequence[str]) -> Iterator[Symbol | int]:
        """What each is, with a handle; or an error."""
        texts = [name.encode("ascii") + b"\0" for name in names]
        heads = [struct.pack("<IIII", HANDLE_BY_NAME, 0, 4, len(text)) for text in texts]
        heads += [struct.pack("<IIII", INFO_BY_NAME, 0, ENTRY_MAX, len(text)) for text in texts]
        size = len(names) * (16 + 4 + ENTRY_MAX)
        came = self._library.ask(port, SUM_ASK, len(heads), size, b"".join(heads + texts + texts))
        said = replies(came, len(heads))
        for handle, info in zip(said[: len(names)], said[len(names) :], strict=True):
            if isinstance(handle, int) or isinstance(info, int):
                if isinstance(handle, bytes):
                    self._release(port, [number(handle)])
                yield handle if isinstance(handle, int) else int(info)
            else:
                yield entry(info).symbol._replace(handle=number(handle))

    def _forget(self, port: int, items: Sequence[Wanted]) -> None:
        self._give_back([key for item in items if (key := (port, item.name)) in self._symbols])

    def _give_back(self, keys: Sequence[Key]) -> None:
        """Handles, of which a controller has a bounded number and forgets none by itself."""
        by_port: dict[int, list[int]] = {}
        for key in dict.fromkeys(keys):
            by_port.setdefault(key[0], []).append(self._symbols.pop(key).handle)
        for port, handles in by_port.items():
            self._release(port, handles)

    def _release(self, port: int, handles: Sequence[int]) -> None:
        for at in range(0, len(handles), HANDLES_MAX):
            some = handles[at : at + HANDLES_MAX]
            question = struct.pack("<III", RELEASE_HANDLE, 0, 4) * len(some) + struct.pack(f"<{len(some)}I", *some)
            try:
                self._library.ask(port, SUM_WRITE, len(some), 4 * len(some), question)
            except Refused:
                return  # it knows them no more

    # -- values --------------------------------------------------------------------------------------------------

    def _values(self, port: int, items: Sequence[Wanted], refused: dict[str, Refusal]) -> dict[Wanted, Told]:
        found: dict[Wanted, Told] = {}
        asked: list[tuple[Wanted, Symbol]] = []
        for item in items:
            symbol = self._symbols.get((port, item.name))
            if symbol is None:
                found[item] = refused[item.name]
            elif (why := unfit(item, symbol)) is not None:
                found[item] = why
            elif symbol.size > BYTES_MAX:
                found[item] = _TOO_LARGE
            else:
                asked.append((item, symbol))
        for some in _in_size(asked):
            sizes = [symbol.size for _, symbol in some]
            question = b"".join(struct.pack("<III", VALUE_BY_HANDLE, symbol.handle, symbol.size) for _, symbol in some)
            came = self._library.ask(port, SUM_READ, len(some), 4 * len(some) + sum(sizes), question)
            for (item, symbol), said in zip(some, values(came, sizes), strict=True):
                found[item] = said if isinstance(said, int) else (symbol, said)
        return found

    # -- the symbol table ----------------------------------------------------------------------------------------

    async def table(self) -> list[Entry]:
        """All symbols of the program of the url. Raises `Silent`, `WireLost`, `Refused`, `Garbled`."""
        self.check()
        try:
            async with asyncio.timeout(2 * TABLE_TIMEOUT_S):
                return list(await self._worker.run(self._table))
        except TimeoutError:
            raise Silent(f"no symbol table within {2 * TABLE_TIMEOUT_S:g} s") from None

    def _table(self) -> list[Entry]:
        self._library.limit(TABLE_TIMEOUT_S)
        port = self._plc.port
        head = self._library.read(port, UPLOAD_INFO, 0, 8)
        if len(head) != 8 or (size := int.from_bytes(head[4:], "little")) > TABLE_MAX:
            raise Garbled("bad_answer", "it does not say how large its symbol table is", head)
        return list(table(self._library.read(port, UPLOAD, 0, size)))

    def _hang_up(self) -> None:
        try:
            if self._sound:
                self._give_back(list(self._symbols))
        except (Silent, WireLost, Garbled):
            pass  # it is gone, and so are they
        finally:
            self._library.close()


def _lasts(found: Told) -> bool:
    said = of_code(found) if isinstance(found, int) else found
    return isinstance(said, Refusal) and said.lasting


def _in_size(asked: Sequence[tuple[Wanted, Symbol]]) -> Iterator[list[tuple[Wanted, Symbol]]]:
    """Requests whose values fit one answer."""
    some: list[tuple[Wanted, Symbol]] = []
    size = 0
    for item, symbol in asked:
        if some and (size + symbol.size > BYTES_MAX or len(some) == HANDLES_MAX):
            yield some
            some, size = [], 0
        some.append((item, symbol))
        size += symbol.size
    if some:
        yield some
