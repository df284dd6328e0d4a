"""The live page itself: NiceGUI elements that are refreshed from the board once a second."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import app, ui

from schemas.records import Alert, Quality
from uns.web.feed import Feed
from uns.web.line import cards, charts

REFRESH_S = 1.0
ALERTS_MAX = 12

STYLE = """
body { background:#f6f7f8; color:#1f2933; font-feature-settings:"tnum"; }
.panel { background:#fff; border:1px solid #e3e6ea; border-radius:6px; padding:10px 14px; width:100%; }
.panel h3 { font-size:12px; font-weight:600; letter-spacing:.04em; text-transform:uppercase; color:#6b7785; margin:0 0 6px; line-height:1.4; }
.machines { display:grid; grid-template-columns:repeat(auto-fit,minmax(230px,1fr)); gap:12px; width:100%; }
.machine { background:#fff; border:1px solid #e3e6ea; border-radius:6px; overflow:hidden; }
.machine .bar { height:5px; background:var(--state); }
.machine.dashed { border-style:dashed; border-color:#8b949e; color:#6b7785; }
.machine.dashed .bar { background:repeating-linear-gradient(90deg,#b8bfc7 0 8px,#fff 8px 14px); }
.machine .head { display:flex; justify-content:space-between; padding:8px 12px 0; font-size:14px; }
.machine .word { font-size:12px; color:#3d4852; }
.machine .body { display:flex; gap:12px; padding:4px 12px; align-items:flex-end; }
.machine .oee { font-size:26px; font-weight:600; line-height:1.1; } .machine .oee small { display:block; font-size:10px; font-weight:400; color:#6b7785; }
.machine .facts { font-size:11px; color:#6b7785; text-align:right; flex:1; }
.machine .factors { display:flex; flex-wrap:wrap; gap:2px 10px; padding:4px 12px 9px; font-size:11px; color:#3d4852; }
.alert { display:flex; gap:10px; align-items:flex-start; font-size:13px; flex:1; }
.alert .sev { background:var(--state); color:#fff; border-radius:3px; font-size:10px; padding:2px 6px; text-transform:uppercase; margin-top:2px; }
.alert small { color:#6b7785; }
.banner { background:#8f1d1d; color:#fff; padding:6px 16px; width:100%; font-weight:600; }
.q-tree { font-size:12px; } .nicegui-content { padding:0; }
"""

Acknowledge = Callable[[Alert], Awaitable[str | None]]
"""Tells the namespace that somebody has seen an alert; returns what went wrong, if anything did."""


class LineView:
    """Everything about one line, built once and then refreshed."""

    def __init__(self, feed: Feed, line: str, acknowledge: Acknowledge) -> None:
        self._feed, self._line, self._acknowledge = feed, line, acknowledge
        self._alerts_shown: list[tuple[str, int]] | None = None
        self._shown: dict[int, charts.Options] = {}
        with ui.column().classes("w-full gap-3 p-4"):
            self._machines = ui.html("", sanitize=False).classes("w-full")
            with ui.element("div").classes("panel"):
                ui.html("<h3>State, last hour of plant time</h3>", sanitize=False)
                self._timeline = ui.echart({}).classes("w-full").style("height:230px")
            with ui.row().classes("w-full no-wrap gap-3"):
                with ui.element("div").classes("panel"):
                    with ui.row().classes("w-full items-center justify-between"):
                        ui.html("<h3>Planned busy time, minutes</h3>", sanitize=False)
                        self._window = ui.toggle(
                            {"shift": "shift", "hour": "hour", "order": "order"}, value="shift"
                        ).props("dense flat size=sm no-caps")
                    self._losses = ui.echart({}).classes("w-full").style("height:230px")
                with ui.element("div").classes("panel"):
                    ui.html("<h3>Stops by reason</h3>", sanitize=False)
                    self._pareto = ui.echart({}).classes("w-full").style("height:240px")
            with ui.row().classes("w-full no-wrap gap-3 items-stretch"):
                with ui.element("div").classes("panel"):
                    with ui.row().classes("w-full items-center justify-between"):
                        ui.html("<h3>Control chart</h3>", sanitize=False)
                        self._characteristic = ui.select([], on_change=self.refresh).props(
                            "dense borderless options-dense"
                        )
                    self._control = ui.echart({}).classes("w-full").style("height:240px")
                with ui.element("div").classes("panel"):
                    ui.html("<h3>Open alerts</h3>", sanitize=False)
                    self._alerts = ui.column().classes("w-full gap-2")

    def refresh(self) -> None:
        """Draws what has changed since the last call. The board is read under the feed's lock, the browser told outside it."""
        live = self._feed.trouble() is None
        with self._feed.lock:
            board = self._feed.board
            cells = board.cells_of(self._line)
            machines = "".join(cards.card(board, cell, live) for cell in cells)
            windows = [(cell.name, found) for cell in cells if (found := board.window(cell, self._window.value))]
            timeline, pareto = charts.timeline(board, cells), charts.pareto(board, cells)
            points = {
                f"{cell.name} · {name}": list(newest) for cell in cells for name, newest in sorted(cell.points.items())
            }
            alerts, now = board.open_alerts(self._line), board.now
        self._machines.set_content(f'<div class="machines">{machines}</div>')
        self._draw(self._timeline, timeline)
        self._draw(self._losses, charts.losses(windows, board.definition))
        self._draw(self._pareto, pareto)
        self._draw_control(points)
        self._draw_alerts(alerts, now)

    def _draw(self, chart: ui.echart, options: charts.Options) -> None:
        if self._shown.get(chart.id) == options:
            return
        self._shown[chart.id] = options
        chart.options.clear()
        chart.options.update(options)
        chart.update()

    def _draw_control(self, points: dict[str, list[Quality]]) -> None:
        if list(points) != list(self._characteristic.options):
            # To begin with, the one with most to look at.
            flagged = max(points, key=lambda name: sum(bool(point.rules) for point in points[name]), default=None)
            self._characteristic.set_options(list(points), value=self._characteristic.value or flagged)
        self._draw(
            self._control,
            charts.control_chart(points.get(self._characteristic.value or "", []), self._feed.board.targets),
        )

    def _draw_alerts(self, alerts: list[Alert], now: int) -> None:
        shown = [(alert.id, (now - alert.started_at) // charts.MINUTE_US) for alert in alerts]
        if shown == self._alerts_shown:
            return
        self._alerts_shown = shown
        self._alerts.clear()
        with self._alerts:
            if not alerts:
                ui.label("none").classes("text-grey-6")
            for alert in alerts[:ALERTS_MAX]:
                with ui.row().classes("w-full no-wrap items-center"):
                    ui.html(cards.alert_row(alert, now), sanitize=False).style("flex:1")
                    if alert.state == "raised":
                        ui.button("seen", on_click=lambda _, alert=alert: self._seen(alert)).props(
                            "dense flat size=sm no-caps"
                        )
            if len(alerts) > ALERTS_MAX:
                ui.label(f"and {len(alerts) - ALERTS_MAX} more").classes("text-grey-6")

    async def _seen(self, alert: Alert) -> None:
        problem = await self._acknowledge(alert)
        ui.notify(problem or "acknowledged", type="negative" if problem else "positive")


def build(feed: Feed, acknowledge: Acknowledge) -> None:
    """Registers the page at `/` and `/line/<path>`, and what it knows about itself at `/api/status`."""

    @app.get("/api/status")
    def status() -> dict[str, Any]:
        return {
            "records": feed.board.applied,
            "plant_time_us": feed.board.now,
            "problem": feed.problem,
            "silent_s": feed.silent_s,
        }

    @ui.page("/")
    @ui.page("/line/{line:path}")
    def page(line: str = "") -> None:
        ui.add_css(STYLE)
        ui.colors(primary="#2f5d8a")
        views: dict[str, LineView] = {}
        with (
            ui.header()
            .classes("items-center justify-between bg-white text-black")
            .style("border-bottom:1px solid #e3e6ea;height:48px;padding:0 16px")
        ):
            ui.html("<b>uns</b>&nbsp;<span style='color:#6b7785'>namespace</span>", sanitize=False)
            lines = ui.row().classes("gap-1")
            status = ui.label().classes("text-sm")
        with ui.left_drawer(value=True).props("width=270 bordered").classes("bg-white p-2"):
            search = ui.input(placeholder="find in the namespace").props("dense clearable").classes("w-full")
            tree = ui.tree([], label_key="label", node_key="id").props("dense").bind_filter_from(search, "value")
        banner = ui.label().classes("banner")
        body = ui.column().classes("w-full")

        def refresh() -> None:
            problem = feed.trouble()
            banner.set_text(problem or "")
            banner.set_visibility(problem is not None)
            with feed.lock:
                known = feed.board.lines()
                nodes = cards.tree(feed.board, problem is None)
                now = feed.board.now
            status.set_text(f"plant time {charts.clock(now)} UTC")
            chosen = line if line in known else (known[0] if known else "")
            if nodes != tree.props.get("nodes"):
                first = not tree.props.get("nodes")
                tree.props["nodes"] = nodes
                tree.update()
                if first and nodes:
                    tree.expand([node for cell in known for node in _ancestors(cell)])
            if lines.default_slot.children == [] and known:
                with lines:
                    for name in known:
                        short = "/".join(name.split("/")[1:])
                        ui.button(short, on_click=lambda _, name=name: ui.navigate.to(f"/line/{name}")).props(
                            f"no-caps dense {'unelevated' if name == chosen else 'flat'} size=sm"
                        )
            if chosen:
                if chosen not in views:
                    with body:
                        views[chosen] = LineView(feed, chosen, acknowledge)
                views[chosen].refresh()

        refresh()
        ui.timer(REFRESH_S, refresh)


def _ancestors(path: str) -> list[str]:
    segments = path.split("/")
    return ["/".join(segments[:depth]) for depth in range(1, len(segments) + 1)]


def serve(feed: Feed, acknowledge: Acknowledge, host: str, port: int) -> None:
    """Serves the page until the process is told to stop."""
    build(feed, acknowledge)
    app.on_startup(feed.start)
    app.on_shutdown(feed.stop)
    ui.run(
        host=host, port=port, title="uns", reload=False, show=False, show_welcome_message=False, favicon="▦", dark=False
    )
