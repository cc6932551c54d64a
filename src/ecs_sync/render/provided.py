"""Adapters and mappings: what there is, what each takes and can do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ecs_sync.adapter import Guard
from ecs_sync.render.listings import OptionShown, PieceShown, Providers
from ecs_sync.render.page import Code, Part, Row, Say, Table, Title, Tone

_GUARDS = {
    Guard.A: "every write is conditional",
    Guard.B: "writes are conditional, deletes are not",
    Guard.C: "no write is conditional, and versions are kept",
    Guard.D: "no write is conditional",
}
_ABILITIES = {
    "holds_secrets": "holds secrets",
    "keeps_overwritten": "keeps what is overwritten",
    "change_times": "tells change times",
    "unchanged": "tells an unchanged place in one call",
    "watch": "can be watched",
    "history": "keeps history",
}


def providers_page(providers: Providers) -> Iterator[Part]:
    yield Title("adapters")
    yield Table(("name", "what", "can do"), tuple(map(_row, providers.adapters)), header=False)
    yield Title("mappings")
    yield Table(("name", "what", ""), tuple(map(_row, providers.mappings)), header=False)
    yield Say("'ecs-sync providers NAME' shows the options of one", Tone.QUIET)


def _row(piece: PieceShown) -> Row:
    if piece.problem:
        return Row((Code(piece.name), piece.problem, ""), Tone.BAD)
    return Row((Code(piece.name), piece.summary, _abilities(piece)))


def _abilities(piece: PieceShown) -> str:
    if not piece.features:
        return ""
    guard = Guard(str(piece.features["guard"]))
    can = [words for name, words in _ABILITIES.items() if piece.features[name]]
    return "; ".join([f"class {guard}: {_GUARDS[guard]}", *can])


def provider_page(providers: Providers) -> Iterator[Part]:
    for piece in (*providers.adapters, *providers.mappings):
        yield Title(f"{piece.what} {piece.name}")
        if piece.problem:
            yield Say(f"  {piece.problem}", Tone.BAD)
            continue
        yield Say(f"  {piece.summary}" + (f" (of {piece.origin})" if piece.origin else ""))
        yield from _options("options", piece.options)
        yield from _options("place, as a map", piece.place)
        yield from _features(piece)


def _options(title: str, options: Sequence[OptionShown]) -> Iterator[Part]:
    if not options:
        return
    yield Title(title, 2)
    rows = tuple(Row((Code(o.name), _type(o), _default(o), o.help)) for o in options)
    yield Table(("option", "type", "default", "meaning"), rows)


def _type(option: OptionShown) -> str:
    return "env:NAME, file:PATH or @secret:…" if option.secret else option.type.replace("`", "")


def _default(option: OptionShown) -> str:
    if option.required:
        return "required"
    return "" if option.default in (None, []) else json.dumps(option.default)


def _plain(value: object) -> str:
    """A feature in short: of limits only those that there are, and the reasons of rules."""
    if not isinstance(value, dict):
        return json.dumps(value)
    if "create" in value:
        return "; ".join(f"{request} {_price(price)}" for request, price in value.items())
    said = [f"{name} {each}" for name, each in value.items() if each and name.endswith("_bytes")]
    said += [value["pattern_reason"]] if value["pattern"] else []
    return "; ".join([*said, *(rule["reason"] for rule in value["rules"])]) or "no limits"


def _price(price: dict[str, int] | int) -> str:
    if isinstance(price, int):
        return str(price)
    calls = f"{price['request']} call" + ("" if price["request"] == 1 else "s")
    return calls + (f" and {price['item']} an item" if price["item"] else "")


def _features(piece: PieceShown) -> Iterator[Part]:
    if piece.what != "adapter":
        return
    yield Title("features", 2)
    if not piece.features:
        yield Say("    they follow from its options: name a connection of your configuration instead")
        return
    rows = tuple(Row((name, Code(_plain(value)))) for name, value in piece.features.items())
    yield Table(("feature", "value"), rows, header=False)
