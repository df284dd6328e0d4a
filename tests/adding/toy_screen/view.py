"""Draws the number of places."""

from collections.abc import Callable

from nicegui import ui

from uns.web.screen import Context

from .picture import Newest


def build(context: Context[Newest]) -> Callable[[], None]:
    label = ui.label()

    def refresh() -> None:
        with context.feed.lock:
            places = len(context.picture.by_path)
        label.set_text(f"toy of {context.place or 'nothing'}: {places} places")

    refresh()
    return refresh
