"""A TwinCAT controller that is none: the test server of pyads, with what its handler lacks of a real one: sums of requests,
the symbol table, states, errors, programs on several AMS ports, handles that a change of the program makes stale.
"""

import asyncio
import logging
import select
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from pyads import constants
from pyads.testserver import AdsTestServer, AdvancedHandler, PLCVariable
from pyads.testserver.handler import AmsPacket, AmsResponseData
from pyads.testserver.testserver import AdsClientConnection

from uns.runtime.ports import free_port

logging.getLogger("pyads.testserver.handler").setLevel(logging.CRITICAL)
RUN, STOP, CONFIG = 5, 6, 15
READ, READ_WRITE, READ_STATE = 2, 9, 4
SYMBOL_NOT_FOUND, VERSION_INVALID, PORT_NOT_FOUND, INVALID_SIZE = 0x710, 0x711, 6, 0x705
VALUE_BY_HANDLE, HANDLE_BY_NAME, RELEASE_HANDLE = 0xF005, 0xF003, 0xF006
SUM_READ, SUM_WRITE, SUM_ASK, UPLOAD, UPLOAD_INFO = 0xF080, 0xF081, 0xF082, 0xF00B, 0xF00F


class Handler(AdvancedHandler):  # type: ignore[misc]
    """Answers as a controller does. Single requests, and each of a sum, are the handler's of pyads."""

    def __init__(self) -> None:
        super().__init__()
        self.states = {851: RUN, 10_000: RUN}
        """By AMS port; a port that is not here has nobody on it."""
        self.mute: Callable[[AmsPacket], bool] = lambda _request: False
        """What is taken and not answered."""
        self.codes: dict[str, int] = {}
        """By name an error in place of its value."""
        self.stale: set[int] = set()
        self.given: Counter[int] = Counter()
        """Handles that were given and not given back."""
        self.packed = False
        """Whether what failed of a sum has no bytes in it."""
        self.short = 0
        """Bytes that a sum lacks."""

    def variable(self, name: str) -> PLCVariable:
        for variable in self._data.values():
            if variable.name == name:
                return variable
        raise KeyError(name)

    def change(self) -> None:
        """The program is changed online: what was known of its variables is known no more."""
        for variable in self._data.values():
            self.stale.add(variable.handle)
            PLCVariable.handle_count += 1
            variable.handle = PLCVariable.handle_count

    def handle_request(self, request: AmsPacket) -> AmsResponseData | None:
        if self.mute(request):
            return None
        head = request.ams_header
        (port,), (command,) = struct.unpack("<H", head.target_port), struct.unpack("<H", head.command_id)
        flags = struct.pack("<H", struct.unpack("<H", head.state_flags)[0] | 1)
        if port not in self.states:
            return AmsResponseData(flags, struct.pack("<I", PORT_NOT_FOUND), b"")
        if command == READ_STATE:
            return AmsResponseData(flags, bytes(4), bytes(4) + struct.pack("<HH", self.states[port], 0))
        if command not in (READ, READ_WRITE):
            return None  # it is read only
        code, came = self._answer(request, command)
        return AmsResponseData(flags, bytes(4), struct.pack("<II", code, len(came)) + came)

    def _answer(self, request: AmsPacket, command: int) -> tuple[int, bytes]:
        data = request.ams_header.data
        group, offset, size = struct.unpack_from("<III", data)
        match group:
            case constants.ADSIGRP_SUMUP_READ:
                return 0, self._sum_read(request, data[16:], offset)
            case constants.ADSIGRP_SUMUP_WRITE:
                return 0, self._sum_release(data[16:], offset)
            case 0xF082:
                return 0, self._sum_ask(request, data[16:], offset)
            case 0xF00F:
                return 0, struct.pack("<II", len(self._data), len(self._table()))
            case 0xF00B:
                return 0, self._table()[:size]
        return self._single(request, command, data)

    def _table(self) -> bytes:
        return b"".join(packed(variable) for variable in self._data.values())

    def _single(self, request: AmsPacket, command: int, data: bytes) -> tuple[int, bytes]:
        """By the handler of pyads."""
        group, offset, size = struct.unpack_from("<III", data)
        if group == VALUE_BY_HANDLE and offset in self.stale:
            return VERSION_INVALID, b""
        head = request.ams_header._replace(command_id=struct.pack("<H", command), data=data)
        try:
            if group == VALUE_BY_HANDLE:
                variable = self.get_variable_by_handle(offset)
                if code := self.codes.get(variable.name):
                    return code, b""
                if size > variable.size:
                    return INVALID_SIZE, b""
            answer = super().handle_request(request._replace(ams_header=head))
        except KeyError:
            return SYMBOL_NOT_FOUND, b""
        if group == HANDLE_BY_NAME:
            self.given[struct.unpack("<I", answer.data[8:])[0]] += 1
        return 0, answer.data[8:]

    def _sum_read(self, request: AmsPacket, data: bytes, count: int) -> bytes:
        codes, values = b"", b""
        for at in range(0, 12 * count, 12):
            code, value = self._single(request, READ, data[at : at + 12])
            size = struct.unpack_from("<I", data, at + 8)[0]
            codes += struct.pack("<I", code)
            values += b"" if code and self.packed else value[:size].ljust(size, b"\0")
        return (codes + values)[: len(codes + values) - self.short]

    def _sum_ask(self, request: AmsPacket, data: bytes, count: int) -> bytes:
        heads, values, at = b"", b"", 16 * count
        for each in range(0, 16 * count, 16):
            length = struct.unpack_from("<I", data, each + 12)[0]
            code, value = self._single(request, READ_WRITE, data[each : each + 16] + data[at : at + length])
            at += length
            heads += struct.pack("<II", code, len(value))
            values += value
        return heads + values

    def _sum_release(self, data: bytes, count: int) -> bytes:
        codes = b""
        for number in range(count):
            group, _, _ = struct.unpack_from("<III", data, 12 * number)
            (handle,) = struct.unpack_from("<I", data, 12 * count + 4 * number)
            assert group == RELEASE_HANDLE, "nothing is ever written but handles that are given back"
            self.given[handle] -= 1
            codes += bytes(4)
        return codes


def packed(variable: PLCVariable) -> bytes:
    """An entry of the symbol table, as TwinCAT has it: texts end with zero."""
    texts = [text.encode("cp1252") for text in (variable.name, variable.symbol_type, variable.comment)]
    body = b"".join(text + b"\0" for text in texts)
    lengths = (len(text) for text in texts)
    place = (variable.index_group, variable.index_offset, variable.size, variable.ads_type)
    return struct.pack("<IIIIIIHHH", 30 + len(body), *place, 0, *lengths) + body


class _Client(AdsClientConnection):  # type: ignore[misc]
    """One that takes requests of any length, however they come."""

    def run(self) -> None:
        came = b""
        while self._run:
            try:
                if not select.select([self.client], [], [], 0.05)[0]:
                    continue
                more = self.client.recv(65_536)
            except (OSError, ValueError):
                return
            if not more:
                self.client.close()
                return
            came += more
            while len(came) >= 6 and len(came) >= (end := 6 + struct.unpack_from("<I", came, 2)[0]):
                self._serve(came[:end])
                came = came[end:]

    def _serve(self, raw: bytes) -> None:
        request = self.construct_request(raw)
        self.server.request_history.append(request)
        response = self.handler.handle_request(request)
        if response is not None:
            with suppress(OSError):
                self.client.sendall(self.construct_response(response, request))


class _Server(AdsTestServer):  # type: ignore[misc]
    def run(self) -> None:
        self.server.listen(5)
        while self._run:
            try:
                if not select.select([self.server], [], [], 0.05)[0]:
                    continue
                client, address = self.server.accept()
            except (OSError, ValueError):
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = _Client(handler=self.handler, client=client, address=address, server=self, daemon=True)
            self.clients.append(thread)
            thread.start()


class Controller:
    """It listens at `host`; `url` is for a configuration."""

    def __init__(self) -> None:
        self.port = free_port()
        self.net_id = f"5.12.{self.port >> 8}.{self.port & 255}.1.1"
        self.handler = Handler()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"ads://127.0.0.1:{self.port}/{self.net_id}:851"

    def add(self, name: str, kind: str, code: int, value: bytes, comment: str = "") -> None:
        variable = PLCVariable(name, value, code, kind)
        variable.comment = comment
        self.handler.add_variable(variable)

    def write(self, name: str, value: bytes) -> None:
        self.handler.variable(name).value = value

    def change(self, name: str, kind: str, code: int, value: bytes) -> None:
        """The program is changed online, at once: the variable has another type, and every handle is stale."""
        variable = self.handler.variable(name)
        variable.symbol_type, variable.ads_type, variable.value = kind, code, value
        self.handler.change()

    def remove(self, name: str) -> None:
        data: dict[Any, PLCVariable] = self.handler._data
        (place,) = [place for place, variable in data.items() if variable.name == name]
        del data[place]

    def start(self) -> None:
        self._server = _Server(self.handler, "127.0.0.1", self.port, logging=False)
        self._server.start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            server.join(5)

    @property
    def requests(self) -> list[AmsPacket]:
        assert self._server is not None
        return list(self._server.request_history)


@asynccontextmanager
async def controller() -> AsyncIterator[Controller]:
    made = Controller()
    made.start()
    try:
        yield made
    finally:
        await asyncio.to_thread(made.stop)
