"""JSON as Vault speaks it, with every number as it was written.

Python's own reader makes floats of numbers, and writes them in another spelling: ``1E5`` would come back
as ``100000.0``. Here a number is text from the socket to the item and back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ecs_sync.model import canonical_json

_MAX_DEPTH = 120


class Digits(str):
    """A number as it was written."""


def decoded(text: str) -> Any:
    """The tree of a JSON text. Raises ValueError, which may quote the text: never show it."""
    try:
        return json.loads(text, parse_int=Digits, parse_float=Digits, parse_constant=_refused)
    except RecursionError:
        raise ValueError("nested too deep") from None


def encoded(node: Any, depth: int = 0) -> str:
    """The JSON text of a tree of `decoded`, or of plain Python values. Raises ValueError."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    match node:
        case Digits():
            return str(node)
        case dict():
            return "{" + ",".join(f"{json.dumps(k)}:{encoded(node[k], depth + 1)}" for k in node) + "}"
        case list() | tuple():
            return "[" + ",".join(encoded(element, depth + 1) for element in node) + "]"
        case _:
            return json.dumps(node)


def canonical(tree: Any) -> bytes:
    """The bytes of an item's value: sorted names, no white space. Raises ValueError."""
    return canonical_json(encoded(tree)).encode("utf-8")


def numbers(node: Any) -> Iterator[str]:
    """Every number in a tree, as it is written."""
    match node:
        case Digits():
            yield str(node)
        case dict():
            for child in node.values():
                yield from numbers(child)
        case list():
            for child in node:
                yield from numbers(child)


def as_go_writes_it(number: str) -> bool:
    """Does a 64-bit float, read and written by Go's encoding/json, keep this number as it is written?

    Go writes the shortest digits that make the same float, with an exponent below 1e-6 and from 1e21 on.
    """
    value = float(number)
    if value in (float("inf"), float("-inf")):
        return False
    if value == 0:
        return number in ("0", "-0")
    shortest = repr(abs(value))
    mantissa, _, exponent = shortest.partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    return number == sign + _spelled(digits, point, abs(value))


def _spelled(digits: str, point: int, size: float) -> str:
    """Decimal digits with their point after so many of them, as Go spells them."""
    if size < 1e-6 or size >= 1e21:
        power = point - 1
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{digits[0]}{fraction}e{'+' if power > 0 else '-'}{abs(power):02d}".replace("e-0", "e-")
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def _refused(_: str) -> Any:
    raise ValueError("JSON has no NaN or Infinity")


def object_pattern(number: str) -> str:
    """A pattern of the tokens of a JSON object whose numbers are all of one pattern."""
    text = r'"(?:[^"\\\x00-\x1f]|\\.)*+"'
    return rf"(?=\s*\{{)(?>[\s{{}}\[\],:]|true|false|null|{text}|(?:{number})(?![0-9.eE+-]))*+"


def up_to(limit: str) -> str:
    """A pattern of the whole numbers from 1 to ``limit``, which is written in decimal digits."""
    ways = [rf"[1-9][0-9]{{0,{len(limit) - 2}}}"]
    for at, digit in enumerate(limit):
        low = 1 if at == 0 else 0
        if int(digit) > low:
            rest = len(limit) - at - 1
            ways.append(rf"{limit[:at]}[{low}-{int(digit) - 1}][0-9]{{{rest}}}")
    return "(?:" + "|".join([*ways, re.escape(limit)]) + ")"
