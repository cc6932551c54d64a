"""Hypothesis strategies for what crosses the ports: keys, values, entries, and texts that break things."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from ecs_sync.adapter import Attributes, attributes
from ecs_sync.model import Entry, Key, Type, Value, metadata

NASTY_TEXTS = (
    "",
    " ",
    "\n",
    "line\n",
    "one\r\ntwo\r\n",
    "  padded\t",
    "e\u0301",
    "é",
    "🔑",
    "\ufeffmarked",
    "a\0b",
    "\x1b[31m",
    "\u202e",
    "null",
    "~",
    "true",
    "no",
    "007",
    "1e5",
    "12:34:56",
    "- a",
    "a: b",
    "# not a comment",
    "{{ x }}",
    "${HOME}",
    "%(x)s",
    "$(id)",
    "'",
    '"',
    "\\",
    "a,b,,c",
    "<a>&amp;</a>",
    "]]>",
    "=",
    "@secret:vault/db#password",
)
"""Texts that some format, client or server has been seen to bend."""

_SEGMENTS = (
    "a",
    "b",
    "a1",
    "retry",
    "max-attempts",
    "a.b",
    "a/b",
    "~",
    "~1",
    "a b",
    "é",
    "UPPER",
    "0",
    "#",
    "true",
)


def texts() -> st.SearchStrategy[str]:
    """Any text that can be encoded, nasty ones first."""
    return st.sampled_from(NASTY_TEXTS) | st.text(st.characters(codec="utf-8"), max_size=40)


def raws() -> st.SearchStrategy[bytes]:
    """Bytes of a value: text, and what is none."""
    return texts().map(str.encode) | st.binary(max_size=40)


def segments() -> st.SearchStrategy[str]:
    """Segments that a key takes."""
    plain = st.text("abc019._-~/: é", min_size=1, max_size=6)
    return (st.sampled_from(_SEGMENTS) | plain | st.text(min_size=1, max_size=6)).filter(_is_segment)


def _is_segment(text: str) -> bool:
    try:
        Key.of(text)
    except ValueError:
        return False
    return True


def keys(max_segments: int = 4) -> st.SearchStrategy[Key]:
    """Keys of one to ``max_segments`` segments."""
    return st.lists(segments(), min_size=1, max_size=max_segments).map(lambda parts: Key.of(*parts))


def json_texts() -> st.SearchStrategy[str]:
    """JSON as somebody may write it: white space, order and numbers as they come."""
    leaves = st.sampled_from(["1", "-0", "3.10", "1e5", "null", "true", '"x"', '"\\u00e9"', '""'])

    def nest(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        names = st.lists(st.sampled_from(["b", "a", "ä", ""]), unique=True, max_size=3)
        pairs = names.flatmap(lambda ns: st.tuples(*[inner.map(lambda v, n=n: f'"{n}": {v}') for n in ns]))  # type: ignore[misc]
        lists = st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        return lists | pairs.map(lambda parts: f"{{{', '.join(parts)}}}")

    return st.recursive(leaves, nest, max_leaves=6)


def values(types: Iterable[Type] = tuple(Type)) -> st.SearchStrategy[Value]:
    """Values of the given types."""
    return st.sampled_from(tuple(types)).flatmap(_of_type)


def _of_type(type: Type) -> st.SearchStrategy[Value]:
    match type:
        case Type.STRING:
            return texts().map(Value.string)
        case Type.INTEGER:
            return st.integers().map(Value.integer)
        case Type.FLOAT:
            return st.sampled_from(["0.0", "-0.0", "3.10", "1e5", "1E-7", "123456789.123456789"]).map(
                Value.float
            )
        case Type.BOOLEAN:
            return st.booleans().map(Value.boolean)
        case Type.NULL:
            return st.just(Value.null())
        case Type.JSON:
            return json_texts().map(Value.json)
        case Type.BYTES:
            return raws().map(Value.bytes)
        case Type.REFERENCE:
            names = st.sampled_from(["@secret:vault/db#password", "@secret:kv://app/key", "kv://app/key"])
            return names.map(lambda name: Value.parse(Type.REFERENCE, name))
        case Type.FLAG:
            return st.booleans().map(lambda on: Value.parse(Type.FLAG, f'{{"enabled":{str(on).lower()}}}'))


def entries(keys: st.SearchStrategy[Key], types: Iterable[Type] = tuple(Type)) -> st.SearchStrategy[Entry]:
    """Entries of these keys, secret or not, some with metadata."""
    described = st.sampled_from([metadata(), metadata({"description": "how often"})])
    return st.builds(Entry, keys, values(types), st.booleans(), described)


def attribute_sets() -> st.SearchStrategy[Attributes]:
    """Attributes of an item."""
    names = st.sampled_from(["label", "type", "content-type", "owner"])
    return st.dictionaries(names, st.sampled_from(["", "prod", "é"]), max_size=3).map(attributes)
