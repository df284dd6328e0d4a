"""Says the number of places."""

from uns.web.screen import View, Visit

from .picture import Newest


def view(picture: Newest, visit: Visit) -> View:
    return {"toy": {"place": visit.place, "places": len(picture.by_path)}}
