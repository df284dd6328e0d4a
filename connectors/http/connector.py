"""The HTTP server as a connector: what is posted becomes a batch, and is answered once Kafka has it."""

from collections.abc import AsyncIterator, Sequence

from connectors.base import Batch, Resume, SourceUnavailable
from connectors.http.app import App, Known
from connectors.http.config import HttpConfig
from connectors.http.held import Held
from connectors.http.server import Serving, start
from connectors.http.tokens import Tokens
from connectors.http.webhooks import Webhooks
from topology.endpoint import BadSecret


class HttpConnector:
    """Nothing is kept here: what was not answered 2xx, the client has to post again. It may then come twice."""

    def __init__(self, name: str, config: HttpConfig) -> None:
        self._name, self._config = name, config
        self._held = Held()
        self._serving: Serving | None = None

    async def open(self, resume: Resume) -> None:
        """Binds and serves. `resume` says nothing to a server: its clients know what was answered."""
        try:
            known = Known(Tokens(self._config.tokens), Webhooks(self._config.hooks or ()))
        except (OSError, BadSecret) as error:
            raise SourceUnavailable(f"{self._config.url}: the tokens or secrets cannot be read: {error}") from error
        self._held = held = Held()
        app = App(self._config, known, held, self.healthy)
        self._serving = await start(self._config, app.asgi(), held.news.set)

    async def batches(self) -> AsyncIterator[Batch]:
        """One batch for each request."""
        held = self._held
        while True:
            while (batch := held.next()) is not None:
                yield batch
            if not self.healthy():
                raise self._ended()
            await held.news.wait()
            held.news.clear()

    def _ended(self) -> BaseException:
        """Why nothing comes any more; what is no trouble of the machine's is a bug of ours, and comes out as one."""
        cause = None if self._serving is None else self._serving.cause()
        if cause is not None and not isinstance(cause, OSError):
            return cause
        return SourceUnavailable(f"{self._config.url}: the server has ended{f': {cause}' if cause else ''}")

    async def close(self) -> None:
        """Requests that wait are answered 503: their clients post again."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        self._held.let_go()
        await serving.stop()

    def healthy(self) -> bool:
        return self._serving is not None and self._serving.alive()

    def problems(self) -> Sequence[str]:
        return ()
