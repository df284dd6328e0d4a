"""Beckhoff's AdsLib, one connection of it. All that we use of pyads is here.

AdsLib is one for the whole process: its routes are by AMS net id, and a call cannot be ended from outside. So to one net id
there is one connection at a time, and who wants the next waits until the last call of the one
before has come back: however often a link is tried again, one thread at most hangs in it. Of pyads are the library and its
structures; its own reading of values is not used: it reads by places that a changed program has put something else into,
and takes what comes for as long as was asked for.
"""

import ctypes
import threading

from pyads import pyads_ex
from pyads.structs import AmsAddr

from connectors.ads.quality import LOST, TIMEOUT
from connectors.kit.polling.wire import Refused, Silent, WireLost

_TURNS: dict[str, threading.Lock] = {}
"""By AMS net id, whose turn it is."""
_TURNS_LOCK = threading.Lock()


class Library:
    """A connection to one router, of which AMS ports are asked. Every call blocks, for `timeout_s` at most once it is open."""

    def __init__(self, host: str, net_id: str, timeout_s: float) -> None:
        self._host, self._net_id, self._timeout_s = host, net_id, timeout_s
        with _TURNS_LOCK:
            self._turn = _TURNS.setdefault(net_id, threading.Lock())
        self._ours = False
        self._port = 0
        self._routed = False

    def open(self, own_net_id: str | None, wait_s: float) -> None:
        """Raises `WireLost`. `wait_s`: how long for an earlier call to come back."""
        self._ours = self._turn.acquire(timeout=wait_s)
        if not self._ours:
            raise WireLost(
                f"{self._net_id}: an earlier try has not come back, or another connector of this process reads it"
            )
        if own_net_id is not None:
            pyads_ex.adsSetLocalAddress(AmsAddr(own_net_id).netIdStruct())
        try:
            self._port = pyads_ex.adsPortOpenEx()
            self.limit(self._timeout_s)
            pyads_ex.adsAddRoute(AmsAddr(self._net_id).netIdStruct(), self._host)
        except (pyads_ex.ADSError, RuntimeError) as error:
            raise WireLost(f"{self._host} does not take a connection, or there is no such host ({error})") from None
        self._routed = True

    def limit(self, timeout_s: float) -> None:
        """How long a request may take from now on."""
        pyads_ex.adsSyncSetTimeoutEx(self._port, max(1, int(timeout_s * 1000)))

    def own(self) -> str:
        """Our AMS net id, to which a controller needs a route."""
        return str(pyads_ex.adsGetLocalAddressEx(self._port).netid)

    def close(self) -> None:
        """Gives the turn to the next."""
        if not self._ours:
            return
        try:
            if self._routed:
                pyads_ex.adsDelRoute(AmsAddr(self._net_id).netIdStruct())
            if self._port:
                pyads_ex.adsPortCloseEx(self._port)
        except pyads_ex.ADSError:
            pass  # it is closed
        finally:
            self._ours = self._routed = False
            self._port = 0
            self._turn.release()

    def state(self, port: int) -> int:
        """What the program on an AMS port does. Raises `Silent`, `WireLost`, `Refused`."""
        try:
            state, _ = pyads_ex.adsSyncReadStateReqEx(self._port, AmsAddr(self._net_id, port))
        except pyads_ex.ADSError as error:
            self._check(error.err_code)
            raise
        return int(state)

    def read(self, port: int, group: int, offset: int, size: int) -> bytes:
        """What is there, `size` bytes at most. Raises `Silent`, `WireLost`, `Refused`."""
        came, count = ctypes.create_string_buffer(max(size, 1)), ctypes.c_uint32()
        address = AmsAddr(self._net_id, port).amsAddrStruct()
        self._check(
            pyads_ex._adsDLL.AdsSyncReadReqEx2(
                ctypes.c_long(self._port),
                ctypes.byref(address),
                ctypes.c_uint32(group),
                ctypes.c_uint32(offset),
                ctypes.c_uint32(size),
                came,
                ctypes.byref(count),
            )
        )
        return came.raw[: min(count.value, size)]

    def ask(self, port: int, group: int, offset: int, size: int, question: bytes) -> bytes:
        """What the answer to a question is, `size` bytes at most. Raises `Silent`, `WireLost`, `Refused`."""
        came, count = ctypes.create_string_buffer(max(size, 1)), ctypes.c_uint32()
        address = AmsAddr(self._net_id, port).amsAddrStruct()
        self._check(
            pyads_ex._adsDLL.AdsSyncReadWriteReqEx2(
                ctypes.c_long(self._port),
                ctypes.byref(address),
                ctypes.c_uint32(group),
                ctypes.c_uint32(offset),
                ctypes.c_uint32(size),
                came,
                ctypes.c_uint32(len(question)),
                question,
                ctypes.byref(count),
            )
        )
        return came.raw[: min(count.value, size)]

    def _check(self, code: int | None) -> None:
        if not code:
            return
        if code == TIMEOUT:
            raise Silent(f"no answer within {self._timeout_s:g} s")
        if code in LOST:
            raise WireLost(f"{self._host}: the other side has closed the connection")
        raise Refused(code)
