"""The frame around every screen: header, navigation, the namespace, and what is wrong with the feed."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import app, ui

from uns.web.feed import Feed
from uns.web.namespace import Namespace, ancestors
from uns.web.screen import Context, Picture, ScreenSpec, Tell
from uns.web.text import clock
from uns.web.theme import STYLE

REFRESH_S = 1.0

Screens = Mapping[str, tuple[ScreenSpec[Any], Picture]]
"""Name → a screen and its picture, in the order of the navigation."""


def build(screens: Screens, namespace: Namespace, feed: Feed, tell: Tell, now: Callable[[], int]) -> None:
    """Registers every screen at `/<name>` and `/<name>/<path>`, the first one at `/`, and the feed at `/api/status`."""

    @app.get("/api/status")
    def status() -> dict[str, Any]:
        return {
            "records": namespace.applied,
            "plant_time_us": namespace.now,
            "problem": feed.problem,
            "silent_s": feed.silent_s,
        }

    for number, (name, (spec, picture)) in enumerate(screens.items()):

        def page(place: str = "", *, name: str = name, spec: ScreenSpec[Any] = spec, picture: Any = picture) -> None:
            choices = _frame(screens, name, namespace, feed)
            with ui.column().classes("w-full gap-0"):
                refresh = spec.build(Context(picture, feed, place, tell, now, choices))
            refresh()
            ui.timer(REFRESH_S, refresh)

        _route(page, [*(["/"] if number == 0 else []), f"/{name}", f"/{name}/{{place:path}}"])


def _route(page: Callable[..., None], routes: list[str]) -> None:
    for route in routes:
        if "{" in route:

            def at_place(place: str) -> None:
                page(place)

            ui.page(route)(at_place)
        else:

            def anywhere() -> None:
                page()

            ui.page(route)(anywhere)


def _frame(screens: Screens, shown: str, namespace: Namespace, feed: Feed) -> ui.row:
    """Draws all that screens share, kept fresh by itself; returns the row for the screen's own choices."""
    ui.add_css(STYLE)
    ui.colors(primary="#2f5d8a")
    with ui.header().classes("frame bg-white text-black"):
        menu = ui.button(icon="menu").props("flat dense aria-label=namespace")
        ui.html("<b>uns</b>", sanitize=False)
        if len(screens) > 1:
            with ui.row().classes("gap-1 no-wrap"):
                for name, (spec, _) in screens.items():
                    ui.button(spec.title, on_click=lambda _, name=name: ui.navigate.to(f"/{name}")).props(
                        f"no-caps dense size=sm {'unelevated' if name == shown else 'flat'}"
                    )
        choices = ui.row().classes("choices gap-1")
        plant_time = ui.label().classes("plant-time")
    # Open where there is room beside it, closed on a phone.
    with ui.left_drawer(value=False).props("show-if-above width=270 bordered").classes("bg-white p-2") as drawer:
        search = ui.input(placeholder="find in the namespace").props("dense clearable").classes("w-full")
        tree = ui.tree([], label_key="label", node_key="id").props("dense").bind_filter_from(search, "value")
    menu.on_click(drawer.toggle)
    banner = ui.label().classes("banner")

    def refresh() -> None:
        problem = feed.trouble()
        banner.set_text(problem or "")
        banner.set_visibility(problem is not None)
        with feed.lock:
            nodes, paths, at = namespace.tree(problem is None), list(namespace.snapshots), namespace.now
        plant_time.set_text(f"{clock(at)} UTC")
        if nodes != tree.props.get("nodes"):
            first = not tree.props.get("nodes")
            tree.props["nodes"] = nodes
            tree.update()
            if first and nodes:
                lines = dict.fromkeys(path.rpartition("/")[0] for path in paths if path.count("/") == 4)
                tree.expand([node for line in lines for node in ancestors(line)])

    refresh()
    ui.timer(REFRESH_S, refresh)
    return choices


def serve(
    screens: Screens, namespace: Namespace, feed: Feed, tell: Tell, now: Callable[[], int], host: str, port: int
) -> None:
    """Serves the screens until the process is told to stop."""
    build(screens, namespace, feed, tell, now)
    app.on_startup(feed.start)
    app.on_shutdown(feed.stop)
    ui.run(
        host=host, port=port, title="uns", reload=False, show=False, show_welcome_message=False, favicon="▦", dark=False
    )
