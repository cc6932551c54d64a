"""What somebody may have meant who wrote a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CLOSE = 0.6


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the known word nearest to ``name``, or nothing.

    Of two that are as near it names the shorter one.
    """
    wanted = _spelled(name)
    spelled = {_spelled(word): word for word in known}
    close = difflib.get_close_matches(wanted, spelled, max(1, len(spelled)), _CLOSE)

    def order(word: str) -> tuple[float, int, str]:
        return -difflib.SequenceMatcher(None, word, wanted).ratio(), len(word), word

    return f"; did you mean {spelled[min(close, key=order)]!r}?" if close else ""


def _spelled(word: str) -> str:
    return word.lower().replace("-", "_")
