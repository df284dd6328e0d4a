"""An AsyncAPI document as one static page: it loads nothing, works from a file, and is searched in the browser."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment


def page(document: dict[str, Any]) -> str:
    """HTML of a document that `asyncapi.document` made."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["avro"] = type_in_words
    text = files("uns.export").joinpath("page.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text).render(document=document) + "\n"


def type_in_words(avro: Any) -> str:
    """An Avro type as people say it: `long?` for one that may be null, `time`, `list of Sample`."""
    if isinstance(avro, list):
        named = [type_in_words(branch) for branch in avro if branch != "null"]
        return " or ".join(named) + ("?" if "null" in avro else "")
    if isinstance(avro, str):
        return avro
    match avro["type"]:
        case "array":
            return f"list of {type_in_words(avro['items'])}"
        case "map":
            return f"map of {type_in_words(avro['values'])}"
        case "record" | "enum":
            return str(avro["name"])
    return "time, µs UTC" if avro.get("logicalType") == "timestamp-micros" else type_in_words(avro["type"])
