"""A reference to a secret: where it is kept, and never what it is.

``@secret:CONNECTION/NAME`` names a secret at a configured connection by the id of its item there. A
``?version=VERSION`` pins one version, else the newest counts; ``#FIELD`` picks a field of a JSON object,
a path of names where it is nested (escaped like a key's segments).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ecs_sync.adapter import ItemId
from ecs_sync.model import Key, Type, Value

_PREFIX = "@secret:"
_SHORT = "kv"
"""The connection that the bare spelling ``kv://NAME`` means."""

_SPELLED = re.compile(
    r"(?P<connection>[A-Za-z0-9][A-Za-z0-9._-]*)(?:://|/)(?P<name>[^?#]+)"
    r"(?:\?version=(?P<version>[^?#]+))?(?:#(?P<field>.+))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Names a secret. ``version`` None means whichever is newest; ``field`` None the whole value."""

    connection: str
    name: ItemId
    version: str | None = None
    field: str | None = None

    @property
    def text(self) -> str:
        """The one canonical spelling."""
        version = f"?version={self.version}" if self.version is not None else ""
        field = f"#{self.field}" if self.field is not None else ""
        return f"{_PREFIX}{self.connection}/{self.name}{version}{field}"

    @property
    def value(self) -> Value:
        return Value.parse(Type.REFERENCE, self.text)

    @property
    def whole(self) -> Reference:
        """The secret without its field: fields of one secret are read together."""
        return replace(self, field=None)

    @property
    def steps(self) -> tuple[str, ...]:
        """The names that lead to the field, outermost first."""
        return Key(self.field).segments if self.field is not None else ()

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The reference of any of its spellings. Raises ValueError, which never quotes the text."""
        found = reads_as_reference(text)
        if found is None:
            raise ValueError(
                "not a reference to a secret: it is written @secret:CONNECTION/NAME, then '?version=V' "
                "where one version is meant and '#FIELD' where the secret has fields"
            )
        return found


def reads_as_reference(text: str) -> Reference | None:
    """The reference that a text spells, or None where it is some other text."""
    if text.startswith(_PREFIX):
        found = _SPELLED.fullmatch(text.removeprefix(_PREFIX))
    elif text.startswith(f"{_SHORT}://"):
        found = _SPELLED.fullmatch(text)
    else:
        return None
    return None if found is None else Reference(**found.groupdict())
