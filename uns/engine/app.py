"""The Faust app of one worker: it assigns partitions and hands over batches; what it would keep or produce itself is off."""

from collections.abc import Callable

import faust
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager

from uns.engine.config import EngineConfig
from uns.engine.transport import BatchTransport
from uns.runtime.settings import Settings


class _Boot(BootStrategy):  # type: ignore[misc]
    enable_kafka_producer = False  # what Faust would produce is ours to produce, in transactions
    enable_web = False


class _Tables(TableManager):  # type: ignore[misc]
    """Holds no table; Faust resumes the streams from here after each rebalance."""

    async def on_start(self) -> None:
        # Without Faust's sleep of a second: it waits for tables that agents declare, and there are none.
        await self._update_channels()
        await self.recovery.start()


class _App(faust.App):  # type: ignore[misc]
    BootStrategy = _Boot


def make_app(
    settings: Settings, config: EngineConfig, group: str, worker: str, fail: Callable[[BaseException], None]
) -> tuple[faust.App, BatchTransport]:
    """The app, not started, and its transport. `fail` is told what ends the worker from the consumer's side."""
    state = settings.state_dir / "faust"
    state.mkdir(parents=True, exist_ok=True)
    app = _App(
        group,
        broker=f"kafka://{settings.bootstrap}",
        store="memory://",
        datadir=state / worker,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        TableManager=_Tables,
        value_serializer="raw",
        broker_session_timeout=config.session_timeout_s,
        broker_request_timeout=max(90.0, config.session_timeout_s),
        # Events are batches, and `Budget` bounds their bytes: the buffer never fills first.
        stream_buffer_maxsize=65_536,
    )
    transport = BatchTransport(app, settings, config, worker, fail)
    app.transport = transport
    return app, transport
