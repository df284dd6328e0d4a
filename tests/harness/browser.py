"""A real browser without a window, by its DevTools protocol: what a person sees, presses and types."""

import asyncio
import base64
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from uns.testing.patience import patient

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DEADLINE_S = 20.0


class Page:
    """One page, `width` × `height` CSS pixels."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket, self._session = socket, session
        self._ids = itertools.count(1000)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.trouble: list[str] = []
        """What its console says of errors, refused content included."""
        self.requests: list[str] = []
        """What it has asked for, by address."""

    async def listen(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if (waiting := self._answers.pop(message.get("id", 0), None)) is not None:
                waiting.set_result(message)
            elif message.get("method") == "Runtime.exceptionThrown":
                self.trouble.append(json.dumps(message["params"]["exceptionDetails"])[:500])
            elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["source"] == "security":
                self.trouble.append(message["params"]["entry"]["text"])
            elif message.get("method") == "Runtime.consoleAPICalled" and message["params"]["type"] == "error":
                self.trouble.append(json.dumps(message["params"]["args"])[:500])
            elif message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])

    async def tell(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "sessionId": self._session, "method": method, "params": params}))  # fmt: skip
        async with asyncio.timeout(patient(DEADLINE_S)):
            message = await answer
        assert "error" not in message, (method, message["error"])
        result: dict[str, Any] = message["result"]
        return result

    async def run(self, script: str) -> Any:
        """What an expression says."""
        result = await self.tell("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, script: str) -> Any:
        """Waits until an expression is true; of a page that is just loading it is not."""
        said = None
        try:
            async with asyncio.timeout(patient(DEADLINE_S)):
                tried = f"(() => {{ try {{ return {script} }} catch {{ return null }} }})()"
                while not (said := await self.run(tried)):  # noqa: ASYNC110 - the page tells nobody
                    await asyncio.sleep(0.03)
        except TimeoutError:
            raise AssertionError(f"{script} is not so: {await self.run('document.body.innerText')}") from None
        return said

    async def open(self, url: str, width: int = 390, height: int = 844) -> None:
        await self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        await self.tell("Page.navigate", url=url)

    async def type(self, selector: str, text: str) -> None:
        await self.run(f"document.querySelector({selector!r}).focus()")
        await self.run(f"document.querySelector({selector!r}).select()")
        await self.tell("Input.insertText", text=text)

    async def press(self, selector: str, times: int = 1) -> None:
        """Presses where it is seen; more than once as fast as a trembling finger."""
        place = await self.run(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect(); "
            f"return [r.x + r.width / 2, r.y + r.height / 2] }})(document.querySelector({selector!r}))"
        )
        for click in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                await self.tell("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=click)  # fmt: skip

    async def offline(self, offline: bool) -> None:
        await self.tell("Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1)  # fmt: skip

    async def picture(self) -> bytes:
        """As PNG."""
        return base64.b64decode((await self.tell("Page.captureScreenshot"))["data"])


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """A page of a browser of its own, whose profile is in `folder`."""
    assert CHROMIUM is not None
    child = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stderr is not None
    try:
        async with asyncio.timeout(patient(60)):
            while (
                found := re.search(rb"DevTools listening on (ws://\S+)", line := await child.stderr.readline())
            ) is None:
                assert line, "the browser ended"
        async with connect(found[1].decode(), max_size=None) as socket:
            await socket.send('{"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}')
            target = json.loads(await socket.recv())["result"]["targetId"]
            await socket.send(json.dumps({"id": 2, "method": "Target.attachToTarget", "params": {"targetId": target, "flatten": True}}))  # fmt: skip
            while (message := json.loads(await socket.recv())).get("id") != 2:
                pass
            page = Page(socket, message["result"]["sessionId"])
            listening = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.tell(f"{domain}.enable")
            try:
                yield page
            finally:
                listening.cancel()
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
