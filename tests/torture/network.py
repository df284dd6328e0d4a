"""A worker's network of its own, and a bad line to it: a namespace whose only way out we carry packet by packet.

The kernel's netem does the same, where it is built in; a TUN device is everywhere, and its packets pass through here, so
delay and loss are seeded and a cut is one flag.
"""

import errno
import fcntl
import heapq
import itertools
import os
import random
import secrets
import select
import struct
import subprocess
import threading
import time
from typing import Self

from tests.torture.case import Skipped, needs

TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001
PACKET_BYTES = 65_536
QUEUE_MAX = 10_000
"""Packets on the way; more are dropped, as any router does."""


class BadLine:
    """`here` and `there` are the addresses of its two ends; `command` runs a program in the namespace."""

    def __init__(self, seed: int) -> None:
        """Raises `Skipped` where there is no root, no `ip` or no TUN device."""
        needs("ip")
        if not os.path.exists("/dev/net/tun"):
            raise Skipped("needs /dev/net/tun")
        number = secrets.randbelow(2**14)  # 10.200.0.0/16 in networks of four addresses
        self._name = f"uns-{number}"
        network = f"10.200.{number // 64}"
        self.here, self.there = f"{network}.{number % 64 * 4 + 1}", f"{network}.{number % 64 * 4 + 2}"
        self.delay_s, self.loss = 0.0, 0.0
        self.cut_out = self.cut_back = False
        """Nothing from there arrives here; nothing from here arrives there."""
        self.carried = self.lost = 0
        self._chance = random.Random(seed)
        self._stop = threading.Event()

    def cut(self, out: bool = True, back: bool = True) -> None:
        """Cuts one way or both; `mend` ends it."""
        self.cut_out, self.cut_back = out, back

    def mend(self) -> None:
        self.cut_out = self.cut_back = False

    @property
    def command(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self._name)

    def __enter__(self) -> Self:
        try:
            _ip("netns", "add", self._name)
        except OSError as error:
            raise Skipped(f"needs network namespaces: {error}") from None
        try:
            self._ends = _tun(f"{self._name}a"), _tun(f"{self._name}b")
            _ip("link", "set", f"{self._name}b", "netns", self._name)
            _ip("addr", "add", f"{self.here}/30", "dev", f"{self._name}a")
            _ip("link", "set", f"{self._name}a", "up")
            for inside in (
                ("addr", "add", f"{self.there}/30", "dev", f"{self._name}b"),
                ("link", "set", f"{self._name}b", "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", self._name, *inside)
        except BaseException:
            _ip("netns", "del", self._name)
            raise
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for end in self._ends:
            os.close(end)  # the devices go with their descriptors
        _ip("netns", "del", self._name)

    def _carry(self) -> None:
        numbers = itertools.count()
        waiting: list[tuple[float, int, int, bytes]] = []
        here, there = self._ends
        while not self._stop.is_set():
            wait_s = min(0.1, max(0.0, waiting[0][0] - time.monotonic())) if waiting else 0.1
            for end in select.select([here, there], [], [], wait_s)[0]:
                packet = os.read(end, PACKET_BYTES)
                cut = self.cut_back if end == here else self.cut_out
                if cut or self._chance.random() < self.loss or len(waiting) >= QUEUE_MAX:
                    self.lost += 1
                    continue
                due = time.monotonic() + self.delay_s
                heapq.heappush(waiting, (due, next(numbers), there if end == here else here, packet))
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, end, packet = heapq.heappop(waiting)
                try:
                    os.write(end, packet)
                    self.carried += 1
                except OSError as error:
                    if error.errno not in (errno.EIO, errno.ENOBUFS):
                        raise
                    self.lost += 1


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN_NO_PI))
    return device


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
