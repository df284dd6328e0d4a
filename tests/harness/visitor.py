"""A visitor of the page without a browser: signs in, does things, and sees what a screen's view says."""

import json
import re
import time
from html import unescape
from typing import Any, Self

import httpx2
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from uns.testing.patience import patient


class Visitor:
    """One browser's worth of cookies on a page at `127.0.0.1:port`."""

    def __init__(self, port: int) -> None:
        self.port, self.address = port, f"http://127.0.0.1:{port}"
        self.http = httpx2.Client(base_url=self.address, timeout=patient(30))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def token(self) -> str:
        """The token that the page's own requests carry."""
        document = self.http.get("/login").text
        found = re.search(r'data-token="([^"]+)"', document)
        assert found is not None, document[:500]
        return unescape(found[1])

    def post(self, path: str, said: dict[str, Any]) -> httpx2.Response:
        return self.http.post(path, json=said, headers={"x-uns-token": self.token()})

    def sign_in(self, user: str, password: str) -> httpx2.Response:
        return self.post("/login", {"user": user, "password": password})

    def act(self, kind: str, **said: Any) -> httpx2.Response:
        return self.post(f"/act/{kind}", said)

    def live(self) -> ClientConnection:
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        headers = {"cookie": cookies} if cookies else {}
        return connect(f"ws://127.0.0.1:{self.port}/live", origin=Origin(self.address), additional_headers=headers)

    def until(self, screen: str, place: str, part: str, seen: Any, deadline_s: float = 60) -> Any:
        """A part of a screen's view, once `seen(part)` is true of it."""
        deadline, said = time.monotonic() + patient(deadline_s), None
        with self.live() as socket:
            socket.send(json.dumps({"slot": "main", "screen": screen, "place": place}))
            while time.monotonic() < deadline:
                slot, _, text = str(socket.recv(timeout=patient(deadline_s))).partition("\n")
                if slot == "main" and part in (parts := json.loads(text)["parts"]):
                    said = parts[part]
                    if seen(said):
                        return said
        raise AssertionError(f"{screen} at {place}: {part} still says {said}")
