"""The demo from start to end: services, plant, every part of ours, and at the end the truth check.

Each part runs as the process an operator would run (`uns run …`), under the supervisor; nothing is shared but Kafka.
"""

import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path

from topology.model.loader import load
from topology.model.plant import Plant
from uns.kafka import lag
from uns.local.ports import usual_port
from uns.local.services import Services
from uns.local.up import Parts, Say, answers, apply_model
from uns.runners.connector.ledger import read_ledgers
from uns.runtime.lock import FolderLock
from uns.runtime.ports import claim, free_port
from uns.runtime.running import announce, withdraw
from uns.runtime.settings import Settings
from uns.runtime.supervisor import Status

PLANT_START = datetime.fromisoformat("2026-11-23T05:50:00+00:00")
"""Ten minutes before a shift change, so that a short run sees one."""
LEAD_S = 0.5
"""From the choice of the plant's clock to its first event."""
CHAOS_AT, CHAOS_STEP_S = 0.4, 4.0
"""Chaos begins after this share of the run; then one kill after another."""
SETTLE_S = 60.0
"""Longest wait for one stage to finish at the end; what is not there by then counts as lost."""

TICKS_ON_THE_WAY = 50
"""Lag at which the processors count as up to date: ticks keep coming, and each is a record."""


@dataclass(frozen=True)
class Options:
    duration_s: float | None
    """None: until Ctrl-C."""
    rate: float = 60.0
    seed: int = 1
    chaos: bool = False
    page_port: int | None = None
    """None: the usual one, or a free one where that is taken."""


@dataclass
class RunReport:
    """What the closing box and the summary report about the run itself."""

    begun: float = field(default_factory=time.monotonic)
    ready_s: float = 0.0
    first_derived_s: float | None = None
    """From services ready to the first derived record on the page."""
    mqtt_persistent: bool = True
    """Whether the broker keeps messages for a session that is away; without, chaos makes gaps, and they show as unknown."""
    killed: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """Parts that ended without being asked to, by chaos or by themselves."""
    unsettled: list[str] = field(default_factory=list)


class Demo:
    """One run in a folder of its own, which keeps everything for a look afterwards."""

    def __init__(self, settings: Settings, options: Options, folder: Path, say: Say) -> None:
        self.options, self.folder, self.say = options, folder, say
        self.progress = RunReport()
        self.truth, self.mes_db, self.logs = folder / "truth.jsonl", folder / "mes.sqlite", folder / "logs"
        self._clock_file = folder / "clock"
        self.page_url = ""
        self.environ: dict[str, str] = {}
        self.settings = settings
        self.plant_end_s = 0.0
        self._home = settings.state_dir
        self._closing = ExitStack()
        self.parts = Parts(self.environ, self.logs, self._ended)

    # -- start -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Services, topics, the plant and every part of ours. Raises `ServiceError` or `UserError`."""
        self._closing.callback(FolderLock(self.folder).release)
        services = Services(
            self.settings.model_copy(update={"state_dir": self.folder}), report=self.say, usual_ports=True
        )
        self._closing.callback(services.stop)
        services.begin()
        model = self.folder / "plant"
        with as_file(files("uns.demo") / "plant_model") as shipped:
            shutil.copytree(shipped, model, dirs_exist_ok=True)
        dallas, leipzig, mes = free_port(), free_port(), free_port()
        wanted = self.options.page_port
        page = usual_port("page", self.say) if wanted is None else claim(wanted, "the page")
        self.page_url = f"http://127.0.0.1:{page}"
        # The machines need the MQTT broker only: they are up before Kafka is, and each connector opens at its first try.
        self._start_machines(dallas, leipzig, mes, services.address("mqtt"))
        services.finish()
        self.progress.mqtt_persistent = services.mqtt_persistent is not False
        self.progress.ready_s = time.monotonic() - self.progress.begun
        self.environ |= {
            **services.environ,
            "UNS_PLANT": str(model),
            "UNS_STATE_DIR": str(self.folder),
            "UNS_DEMO_OPCUA_DALLAS": f"opc.tcp://127.0.0.1:{dallas}",
            "UNS_DEMO_OPCUA_LEIPZIG": f"opc.tcp://127.0.0.1:{leipzig}",
            "UNS_DEMO_MQTT": services.environ["UNS_MQTT"],
            "UNS_DEMO_MES": f"http://127.0.0.1:{mes}",
        }
        self._launch(page)

    def _start_machines(self, dallas: int, leipzig: int, mes: int, mqtt: str) -> None:
        """The plant, which is silent until the file with its clock is there, and the MES."""
        plant: list[object] = ["--opcua-dallas", dallas, "--opcua-leipzig", leipzig, "--mqtt", mqtt]
        plant += ["--clock-file", self._clock_file, "--seed", self.options.seed, "--truth", self.truth]
        if self.options.duration_s is not None:
            plant += ["--until", PLANT_START.timestamp() + self.options.duration_s * self.options.rate]
        self.parts.add("mes", "-m", "uns.demo.mes", "--port", str(mes), "--db", str(self.mes_db))
        self.parts.add("plant", "-m", "uns.demo.plant", *map(str, plant))
        self.parts.supervisor.start()

    def _launch(self, page: int) -> None:
        os.environ.update(self.environ)
        self.settings = Settings()
        self.plant: Plant = load(self.settings.plant, dict(os.environ))
        apply_model(self.settings, self.plant, self.say)
        connectors = self.parts.add_connectors(self.plant)
        # Everybody listens before the plant begins to speak: MQTT keeps nothing for a session that never was.
        self._wait(
            "a connector did not open its source",
            lambda: all(_is_ready(self.parts.health[name]) for name in connectors),
        )

        begin = time.time() + LEAD_S
        clock = f"{begin:.6f},{PLANT_START.timestamp():.0f},{self.options.rate:g}"
        self.environ["UNS_CLOCK"] = os.environ["UNS_CLOCK"] = clock
        draft = self._clock_file.with_suffix(".new")
        draft.write_text(clock, encoding="ascii")
        draft.replace(self._clock_file)
        self.plant_end_s = begin + (self.options.duration_s or 0.0)
        self.parts.add_rest(self.plant, page)
        announce(self._home, {**self.environ, "UNS_METRICS": self.parts.metrics})
        self._closing.callback(withdraw, self._home)
        self.say(
            f"✓ {len(self.parts.health)} parts started; the plant's clock runs {self.options.rate:g} times as fast as yours"
        )

    def _ended(self, status: Status, tail: list[str]) -> None:
        self.progress.ends.append(status.name)
        if status.name not in self.ended_by_itself():
            return
        self.say(f"! {status.name} ended with code {status.exit_code}, {status.state}; its log: {status.log}")
        for line in tail[-4:]:
            self.say(f"    {line}")

    # -- middle ------------------------------------------------------------------------------------------------

    def wait_first_derived(self, timeout_s: float = 60.0) -> None:
        """Until the page answers, which is said at once, and then until it shows its first derived record."""
        ready = time.monotonic()
        if answers(self.page_url, timeout_s):
            self.say(f"\n  the page: {self.page_url}\n")
        while time.monotonic() - ready < timeout_s:
            if self._page_records() > 0:
                self.progress.first_derived_s = time.monotonic() - self.progress.begun - self.progress.ready_s
                self.say(
                    f"✓ first derived record on the page {self.progress.first_derived_s:.1f} s after the services were ready"
                )
                return
            time.sleep(0.2)
        self.progress.unsettled.append("no derived record reached the page")

    def _page_records(self) -> int:
        try:
            with urllib.request.urlopen(f"{self.page_url}/api/status", timeout=2) as answer:
                return int(json.load(answer)["records"])
        except (urllib.error.URLError, OSError, ValueError, KeyError):
            return 0

    def run(self) -> None:
        """Until the plant's last event; chaos on the way where asked for. Without a duration: until Ctrl-C."""
        if self.options.duration_s is None:
            while True:
                time.sleep(1)
        begin = self.plant_end_s - self.options.duration_s
        victims = (
            ["processors", "rollups", *(f"connector-{name}" for name in self.plant.connectors)]
            if self.options.chaos
            else []
        )
        due = [
            (begin + self.options.duration_s * CHAOS_AT + number * CHAOS_STEP_S, name)
            for number, name in enumerate(victims)
        ]
        for at, name in due:
            time.sleep(max(0.0, at - time.time()))
            self.progress.killed.append(name)
            pid = self.parts.supervisor.kill(name)
            self.say(f"! chaos: kill -9 {name} (pid {pid})")
        time.sleep(max(0.0, self.plant_end_s - time.time()))

    # -- end ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Lets everything that is on its way arrive, stage by stage, in the direction of the data."""
        from uns.runners.rollup.runner import group as rollups  # it brings Faust, which would hold up the start

        quiet_s = self.plant.time.lateness_s / self.options.rate + 4.0

        def drained() -> bool:
            return all(ledger.pending == 0 for ledger in read_ledgers(self.folder).values())

        before = -1
        steady_since = time.monotonic()

        def read_out() -> bool:
            nonlocal before, steady_since
            read = sum(ledger.read for ledger in read_ledgers(self.folder).values())
            if read != before:
                before, steady_since = read, time.monotonic()
            return drained() and time.monotonic() - steady_since > 3.0

        self._wait("the connectors did not drain", read_out)
        # The clock goes on after the last event: windows close, silence shows, corrections go out.
        time.sleep(quiet_s)
        group = f"uns-processors-{self.plant.enterprise}"
        self._wait("the processors did not catch up", lambda: lag.total(self.settings, group) <= TICKS_ON_THE_WAY)
        self.parts.supervisor.stop_one("processors")
        self._wait("the roll-ups did not catch up", lambda: lag.total(self.settings, rollups(self.plant)) == 0)
        for name in self.plant.sinks:
            sink = f"uns-sink-{self.plant.enterprise}-{name}"
            self._wait(f"sink {name} did not catch up", lambda sink=sink: lag.total(self.settings, sink) == 0)  # type: ignore[misc]

    def _wait(self, problem: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SETTLE_S
        while not done():
            if time.monotonic() > deadline:
                self.progress.unsettled.append(problem)
                return
            time.sleep(0.3)

    @property
    def publish_interval_s(self) -> float:
        """Longest publish interval of any connector, in seconds of the wall's clock."""
        return (
            max(
                (connector.config.get("publish_interval_ms", 0) for connector in self.plant.connectors.values()),
                default=0,
            )
            / 1000
        )

    def ended_by_itself(self) -> list[str]:
        """Parts that ended and were not killed by chaos."""
        left = list(self.progress.ends)
        for name in self.progress.killed:
            if name in left:
                left.remove(name)
        return left

    def close(self) -> None:
        """Stops all, our parts first. Idempotent; takes less than 3 s."""
        self.parts.supervisor.stop(deadline_s=1.5)
        self._closing.close()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False
