"""One's own options over those of a profile: mappings key by key, requests by name, all else in place of it. Pure."""

from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from sinks.rest.profiles.shelf import Profile, load
from topology.nearest import hint

_WHOLE = ("when",)
"""Keys whose mapping is one thing: a condition of one's own is not mixed with the profile's."""
Where = tuple[str | int, ...]


def merged(options: Mapping[str, Any], title: str) -> dict[str, Any]:
    """The options, with those of the profile that they name where they say nothing. The requests that they name stand
    first and in their order, so that an error's place is that of their file. Raises pydantic's `ValidationError`."""
    own = dict(options)
    name = own.get("profile")
    if not isinstance(name, str):
        return own
    try:
        profile = load(name)
    except LookupError as error:
        _wrong(title, ("profile",), str(error))
    config = _over(profile.config, own)
    if (wanted := _requests(title, profile, own)) is not None:
        config["requests"] = wanted
    _check_needs(title, profile, config, own)
    return config


def _requests(title: str, profile: Profile, own: Mapping[str, Any]) -> list[Any] | None:
    """None: what is written there is no list of mappings, and is said to be none elsewhere."""
    given, without = own.get("requests", []), own.get("without", ())
    theirs = {request.get("name", request["class"]): request for request in profile.config["requests"]}
    if not isinstance(without, list | tuple) or not isinstance(given, list | tuple):
        return None
    for number, name in enumerate(without):
        if name not in theirs:
            _wrong(
                title, ("without", number), f"the profile has no request {name!r}; {hint(str(name), sorted(theirs))}"
            )
    left = {name: request for name, request in theirs.items() if name not in without}
    found: list[Any] = []
    for number, request in enumerate(given):
        known_as = request.get("name", request.get("class")) if isinstance(request, dict) else None
        base = left.pop(known_as, None) if isinstance(known_as, str) else None
        if base is None and isinstance(request, dict) and "create" not in request:
            words = f"the profile has no request {known_as!r}; {hint(str(known_as), sorted(theirs))}"
            _wrong(title, ("requests", number), f"{words}; one of your own needs class and create")
        found.append(request if base is None else _over(base, request))
    return [*found, *left.values()]


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in own.items():
        theirs = result.get(key)
        if key in _WHOLE or not isinstance(theirs, dict) or not isinstance(value, dict) or _other_kind(theirs, value):
            result[key] = value
        else:
            result[key] = _over(theirs, value)
    return result


def _other_kind(theirs: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Of auth: another kind has other options."""
    return "kind" in theirs and "kind" in own and theirs["kind"] != own["kind"]


def _check_needs(title: str, profile: Profile, config: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    for need in profile.needs:
        inner: Any = config
        for part in need.option.split("."):
            inner = inner.get(part) if isinstance(inner, dict) else None
        if inner is None:
            _wrong(title, ("profile",), f"{own['profile']} needs {need.option}: {need.says}, e.g. {need.example}")


def _wrong(title: str, where: Where, words: str) -> NoReturn:
    error = PydanticCustomError("profile", "{words}", {"words": words})
    raise ValidationError.from_exception_data(title, [InitErrorDetails(type=error, loc=where, input=None)])
