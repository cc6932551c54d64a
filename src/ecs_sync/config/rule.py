"""The rules of ``match``: small sentences about a scope, such as ``environment in [prod, test]``.

A rule is parsed once and then only compared: there is no call, no number and no variable in it, it
always comes to an end, and it answers yes or no for every scope that has the names it asks for.

    rule       = every ("or" every)*
    every      = one ("and" one)*
    one        = "not" one | "(" rule ")" | comparison
    comparison = name ("==" | "!=") text | name ("in" | "not" "in") "[" text ("," text)* "]"
    name       = a part of a scope, or one of its properties: tenant, tenant.region
    text       = a bare word (letters, digits, '.', '_', '-'), or anything in "..." or '...'
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from ecs_sync.model import Scope
from ecs_sync.nearest import nearest

PARTS = tuple(part.name for part in fields(Scope))

_TOKEN = re.compile(
    r"(?P<word>[A-Za-z0-9_][A-Za-z0-9_.-]*)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<sign>==|!=|[()\[\],])"
)
_RESERVED = frozenset({"and", "or", "not", "in"})
_MOST_NESTED = 50
_INSTEAD = {
    "=": "write '==' to compare",
    "!": "write 'not', or '!=' between a name and a text",
    "&": "write 'and'",
    "|": "write 'or'",
    "<": "only '==', '!=', 'in' and 'not in' compare",
    ">": "only '==', '!=', 'in' and 'not in' compare",
    '"': "the text is not closed",
    "'": "the text is not closed",
    "{": "braces need 'for_each'",
    "}": "braces need 'for_each'",
}


class RuleError(ValueError):
    """What is wrong with a rule, and ``at`` which of its characters, from 0."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Name:
    """What a rule asks for: a part of the scope, or a property of what that part names."""

    part: str
    owned: str | None
    at: int = field(compare=False)

    @property
    def text(self) -> str:
        return self.part if self.owned is None else f"{self.part}.{self.owned}"


@dataclass(frozen=True, slots=True)
class Among:
    """Is the name's value one of these texts?"""

    name: Name
    texts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Not:
    rule: Rule


@dataclass(frozen=True, slots=True)
class Every:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Some:
    rules: tuple[Rule, ...]


Rule = Among | Not | Every | Some


def parse(text: str) -> Rule:
    """The rule that a text spells. Raises `RuleError` for the first thing that is wrong."""
    reader = _Reader(list(_tokens(text)))
    rule = _rule(reader, 0)
    left = reader.take()
    if left.kind != "end":
        hint = nearest(left.text, ("and", "or"))
        raise RuleError(f"'and', 'or' or the end is expected here{hint}", left.at)
    return rule


def names(rule: Rule) -> Iterator[Name]:
    """Every name that a rule asks for, in its order."""
    match rule:
        case Among():
            yield rule.name
        case Not():
            yield from names(rule.rule)
        case Every() | Some():
            for each in rule.rules:
                yield from names(each)


def holds(rule: Rule, values: Mapping[str, str]) -> bool:
    """Does the rule hold for these values by name? ``values`` has every name of the rule."""
    match rule:
        case Among():
            return values[rule.name.text] in rule.texts
        case Not():
            return not holds(rule.rule, values)
        case Every():
            return all(holds(each, values) for each in rule.rules)
        case Some():
            return any(holds(each, values) for each in rule.rules)


@dataclass(frozen=True, slots=True)
class _Token:
    """``kind`` is word, text, sign or end; ``text`` is what it says, without quotes."""

    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _TOKEN.match(text, at)
        if found is None:
            raise RuleError(_INSTEAD.get(text[at], "a text with such a character stands in quotes"), at)
        kind = str(found.lastgroup)
        yield _Token(kind, found[0][1:-1] if kind == "text" else found[0], at)
        at = found.end()
    yield _Token("end", "", len(text))


class _Reader:
    """The tokens of a rule, one after the other; the last one, its end, stays."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def take(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def passed(self, *wanted: str) -> bool:
        """Takes these words and signs where they stand here, one behind the other."""
        ahead = self._tokens[self._at : self._at + len(wanted)]
        if tuple(token.text for token in ahead if token.kind in ("word", "sign")) != wanted:
            return False
        self._at += len(wanted)
        return True

    def expect(self, sign: str, message: str) -> None:
        if not self.passed(sign):
            raise RuleError(message, self._tokens[self._at].at)


def _rule(reader: _Reader, depth: int) -> Rule:
    rules = [_every(reader, depth)]
    while reader.passed("or"):
        rules.append(_every(reader, depth))
    return rules[0] if len(rules) == 1 else Some(tuple(rules))


def _every(reader: _Reader, depth: int) -> Rule:
    rules = [_one(reader, depth)]
    while reader.passed("and"):
        rules.append(_one(reader, depth))
    return rules[0] if len(rules) == 1 else Every(tuple(rules))


def _one(reader: _Reader, depth: int) -> Rule:
    if depth > _MOST_NESTED:
        raise RuleError("is nested too deeply", reader.take().at)
    if reader.passed("not"):
        return Not(_one(reader, depth + 1))
    if reader.passed("("):
        rule = _rule(reader, depth + 1)
        reader.expect(")", "a ')' is missing here")
        return rule
    return _comparison(reader)


def _comparison(reader: _Reader) -> Rule:
    name = _name(reader.take())
    if reader.passed("=="):
        return Among(name, frozenset({_text(reader.take())}))
    if reader.passed("!="):
        return Not(Among(name, frozenset({_text(reader.take())})))
    if reader.passed("not", "in"):
        return Not(Among(name, _texts(reader)))
    if reader.passed("in"):
        return Among(name, _texts(reader))
    raise RuleError("'==', '!=', 'in' or 'not in' is expected here", reader.take().at)


def _name(token: _Token) -> Name:
    """A name whose part is one of a scope's; whether its property is known, the reader of the file says."""
    if token.kind != "word" or token.text in _RESERVED:
        raise RuleError(f"a name is expected here: {', '.join(PARTS)}, or a property of one", token.at)
    part, dot, owned = token.text.partition(".")
    if part not in PARTS:
        hint = nearest(part, PARTS) or f"; known here: {', '.join(PARTS)}"
        raise RuleError(f"{part!r} is not a part of a scope{hint}", token.at)
    return Name(part, owned if dot else None, token.at)


def _texts(reader: _Reader) -> frozenset[str]:
    reader.expect("[", "a list is expected here, such as [prod, test]")
    texts = {_text(reader.take())}
    while reader.passed(","):
        texts.add(_text(reader.take()))
    reader.expect("]", "a ',' or the list's ']' is missing here")
    return frozenset(texts)


def _text(token: _Token) -> str:
    if token.kind == "text":
        return token.text
    if token.kind != "word" or token.text in _RESERVED:
        raise RuleError("a text is expected here", token.at)
    if token.text.partition(".")[0] in PARTS:
        raise RuleError("a name is compared with a text, not with another name: quote it if meant", token.at)
    return token.text
