"""Signing in, and what a request without a session, with an old one and with a forged one gets. The real middleware."""

import contextlib
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from uns.web.access import gate, passwords
from uns.web.access.door import Door, _inside
from uns.web.access.gate import CLOSED, Gate
from uns.web.access.sessions import COOKIE
from uns.web.access.store import Store
from uns.web.access.users import User, Users, changed, read, write

SECRET = "correct horse battery"


class House:
    """A small application behind the gate, with users, and a clock of the test's own."""

    def __init__(self, folder: Path, users: dict[str, User]) -> None:
        self.now_s, self.folder, self.file = 1_800_000_000.0, folder, folder / "users.yaml"
        if users:
            write(self.file, Users(users=users))
        self.client = self.fresh()

    def fresh(self) -> TestClient:
        """Another browser, on a page that was started anew."""
        self.store = Store(self.file, self.folder)

        async def who(request: Request) -> JSONResponse:
            return JSONResponse({"by": request.state.who.by(), "user": request.state.user})

        async def live(websocket: WebSocket) -> None:
            await websocket.accept()
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    await websocket.receive_text()
                    await websocket.send_text(websocket.state.who.by())

        door = Door(self.store, lambda: self.now_s)
        app = Starlette(
            routes=[Route("/page/{place:path}", who), WebSocketRoute("/live", live), *door.routes()],
            middleware=[
                Middleware(Token),
                Middleware(Gate, store=self.store, now_s=lambda: self.now_s),
            ],
        )
        return TestClient(app, follow_redirects=False)

    def sign_in(self, user: str = "ann", password: str = SECRET) -> int:
        return self.client.post("/login", json={"user": user, "password": password}).status_code

    def status(self) -> int:
        return self.client.get("/page/x").status_code


class Token:
    """Stands where the frame's guard stands."""

    def __init__(self, app: object) -> None:
        self._app = app

    async def __call__(self, scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        scope.setdefault("state", {})["token"] = "t"
        await self._app(scope, receive, send)  # type: ignore[operator]


@pytest.fixture(scope="module")
def ann() -> User:
    return User(password=passwords.hashed(SECRET), roles={"acme/dallas": "operator"})


@pytest.fixture
def house(tmp_path: Path, ann: User) -> House:
    return House(tmp_path, {"ann": ann})


def test_without_users_everybody_is_let_in_and_nobody_has_a_name(tmp_path: Path) -> None:
    told = House(tmp_path, {}).client.get("/page/x").json()
    assert told == {"by": "not signed in", "user": None}


def test_a_page_asks_to_sign_in_and_a_program_is_refused(house: House) -> None:
    answer = house.client.get("/page/acme/x?a=b", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?to=%2Fpage%2Facme%2Fx%3Fa%3Db"
    assert house.status() == 401
    assert "Sign in" in house.client.get("/login").text
    with pytest.raises(WebSocketDisconnect) as closed, house.client.websocket_connect("/live") as socket:
        socket.receive_text()
    assert closed.value.code == CLOSED


def test_who_signs_in_has_a_name_and_a_cookie_that_no_script_reads(house: House) -> None:
    answer = house.client.post("/login", json={"user": "ann", "password": SECRET})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert SECRET not in cookie
    assert house.client.get("/page/x").json() == {"by": "ann", "user": "ann"}
    assert house.client.get("/api/me").json()["roles"] == {"acme/dallas": "operator"}


@pytest.mark.parametrize(
    "body", [{"user": "ann", "password": "wrong wrong"}, {"user": "eve", "password": SECRET}, {}, [], {"user": 1}]
)
def test_what_is_wrong_lets_nobody_in_and_does_not_say_which(house: House, body: object) -> None:
    answer = house.client.post("/login", json=body)
    assert answer.status_code in (401, 422)
    assert "set-cookie" not in answer.headers
    assert house.status() == 401


def test_tries_become_rare_even_with_the_right_password(house: House) -> None:
    codes = [house.sign_in(password=f"wrong wrong {n}") for n in range(6)]
    assert codes == [401] * 5 + [429]
    assert house.sign_in() == 429
    house.now_s += 2
    assert house.sign_in() == 200


def test_a_session_ends_by_being_idle_and_lives_on_while_it_is_used(house: House) -> None:
    house.sign_in()
    for _ in range(4):
        house.now_s += 20 * 60
        assert house.status() == 200
    house.now_s += 31 * 60
    assert house.status() == 401


def test_a_session_ends_by_age_whatever_happens(house: House) -> None:
    house.sign_in()
    for _ in range(12 * 3):
        house.now_s += 20 * 60
        assert house.status() == 200
    house.now_s += 60
    assert house.status() == 401


def test_a_session_outlives_a_restart_and_signing_out_does_too(house: House) -> None:
    house.sign_in()
    cookie = house.client.cookies[COOKIE]
    house.client = house.fresh()
    house.client.cookies.set(COOKIE, cookie)
    assert house.status() == 200
    assert house.client.post("/logout").status_code == 200
    for client in (house.client, house.fresh()):
        client.cookies.clear()
        client.cookies.set(COOKIE, cookie)
        assert client.get("/page/x").status_code == 401


def test_a_removed_user_and_an_old_password_end_sessions_at_once(house: House, ann: User) -> None:
    house.sign_in()
    other = User(password=passwords.hashed("another long one"), roles=ann.roles)
    write(house.file, changed(read(house.file), "ann", other))
    assert house.status() == 401
    assert house.sign_in(password="another long one") == 200
    assert house.status() == 200
    write(house.file, changed(read(house.file), "ann", None))
    assert house.status() == 401, "the file has no users any more: that opens nothing"


def test_a_broken_file_changes_nothing_until_it_is_mended(house: House) -> None:
    house.sign_in()
    house.file.write_text("users: [")
    assert house.status() == 200


def test_a_cookie_of_another_key_is_none(house: House, tmp_path: Path, ann: User) -> None:
    (tmp_path / "other").mkdir()
    other = House(tmp_path / "other", {"ann": ann})
    other.sign_in()
    house.client.cookies.set(COOKIE, other.client.cookies[COOKIE])
    assert house.status() == 401


def test_a_wall_screen_is_never_idle(tmp_path: Path, ann: User) -> None:
    house = House(tmp_path, {"wall": User(password=ann.password, roles={"#": "viewer"}, lasting=True)})
    assert house.sign_in("wall") == 200
    house.now_s += 80 * 86_400
    assert house.status() == 200
    house.now_s += 11 * 86_400
    assert house.status() == 401


def test_an_open_websocket_ends_with_its_session(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LOOK_S", 0.0)
    house.sign_in()
    with house.client.websocket_connect("/live") as socket:
        socket.send_text("?")
        assert socket.receive_text() == "ann"
        house.client.post("/logout")
        socket.send_text("?")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == CLOSED


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "/a\n/b", "evil", ""]
)
def test_after_signing_in_nobody_is_sent_elsewhere(to: str) -> None:
    assert _inside(to) == "/"


def test_after_signing_in_one_goes_where_one_wanted() -> None:
    assert _inside("/line/acme?x=y") == "/line/acme?x=y"
