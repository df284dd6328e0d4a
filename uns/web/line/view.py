"""The screen of one line: NiceGUI elements that are refreshed from the board once a second."""

from collections.abc import Callable

from nicegui import ui

from schemas.records import Acknowledge, Alert, Quality
from uns.web.line import cards, charts
from uns.web.line.board import Board
from uns.web.screen import Context

ALERTS_MAX = 12


def build(context: Context[Board]) -> Callable[[], None]:
    """The chosen line, and a button for each other one; returns what refreshes them."""
    return Lines(context).refresh


class Lines:
    """The choice of a line, and the view of the chosen one once it is known."""

    def __init__(self, context: Context[Board]) -> None:
        self._context = context
        self._view: LinePanel | None = None
        self._offered: list[str] = []
        self._body = ui.column().classes("w-full")

    def refresh(self) -> None:
        """Draws what has changed since the last call; a line that nothing is known of yet gives way to the first one."""
        with self._context.feed.lock:
            lines = self._context.picture.lines()
        if not lines:
            return
        chosen = self._context.place if self._context.place in lines else lines[0]
        if lines != self._offered:
            self._offer(lines, chosen)
        if self._view is None or self._view.line != chosen:
            self._body.clear()
            with self._body:
                self._view = LinePanel(self._context, chosen)
        self._view.refresh()

    def _offer(self, lines: list[str], chosen: str) -> None:
        self._offered = lines
        self._context.choices.clear()
        with self._context.choices:
            for line in lines:
                style = "unelevated" if line == chosen else "flat"
                ui.button(
                    "/".join(line.split("/")[1:]), on_click=lambda _, line=line: ui.navigate.to(f"/line/{line}")
                ).props(f"no-caps dense size=sm {style}")


class LinePanel:
    """Everything about one line, built once and then refreshed."""

    def __init__(self, context: Context[Board], line: str) -> None:
        self._context, self._feed, self.line = context, context.feed, line
        self._alerts_shown: list[tuple[str, int]] | None = None
        self._shown: dict[int, charts.Options] = {}
        with ui.column().classes("w-full gap-3 p-4"):
            self._machines = ui.html("", sanitize=False).classes("w-full")
            with ui.element("div").classes("panel"):
                ui.html("<h3>State, last hour of plant time</h3>", sanitize=False)
                self._timeline = ui.echart({}).classes("w-full").style("height:244px")
            with ui.element("div").classes("columns"):
                with ui.element("div").classes("panel"):
                    with ui.row().classes("w-full items-center justify-between"):
                        ui.html("<h3>Planned busy time, minutes</h3>", sanitize=False)
                        self._window = ui.toggle(
                            {"shift": "shift", "hour": "hour", "order": "order"}, value="shift"
                        ).props("dense flat size=sm no-caps")
                    self._losses = ui.echart({}).classes("w-full").style("height:244px")
                with ui.element("div").classes("panel"):
                    ui.html("<h3>Stops by reason</h3>", sanitize=False)
                    self._pareto = ui.echart({}).classes("w-full").style("height:240px")
            with ui.element("div").classes("columns"):
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
            board = self._context.picture
            cells = board.cells_of(self.line)
            machines = "".join(cards.card(board, cell, live) for cell in cells)
            windows = [(cell.name, window) for cell in cells if (window := board.window(cell, self._window.value))]
            timeline, pareto = charts.timeline(board, cells), charts.pareto(board, cells)
            points = {
                f"{cell.name} · {name}": list(newest) for cell in cells for name, newest in sorted(cell.points.items())
            }
            alerts, now = board.open_alerts(self.line), board.now
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
            flagged = max(points, key=lambda name: sum(bool(p.rules or p.beyond) for p in points[name]), default=None)
            self._characteristic.set_options(list(points), value=self._characteristic.value or flagged)
        self._draw(
            self._control,
            charts.control_chart(points.get(self._characteristic.value or "", []), self._context.picture.targets),
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
        fact = Acknowledge(alert=alert.natural_id, at=self._context.now(), by="page")
        problem = await self._context.tell(alert.path, fact)
        ui.notify(problem or "acknowledged", type="negative" if problem else "positive")
