"""A rule of `match` means what it reads like, and says what is wrong with it at its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_sync.config.rule import Among, Every, Name, Not, Rule, RuleError, Some, holds, names, parse

SCOPE = {"tenant": "acme", "environment": "prod", "tenant.region": "eu", "tenant.tier": "1"}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('environment in [prod] and tenant.region == "eu"', True),
        ("environment == prod", True),
        ("environment == 'prod'", True),
        ("environment == Prod", False),
        ("environment != prod", False),
        ("environment != test", True),
        ("environment in [test, prod]", True),
        ("environment not in [test, prod]", False),
        ("environment not in [test]", True),
        ("not environment == test", True),
        ("not not environment == test", False),
        ("tenant.tier == 1", True),
        ("tenant == 'or' or tenant == acme", True),
        ("tenant == x or tenant == acme and environment == test", False),
        ("(tenant == x or tenant == acme) and environment == prod", True),
        ("not tenant == x and not (environment == prod)", False),
        ("  tenant==acme\tand\nenvironment!=test", True),
        ('tenant.region in ["eu", eu-west-1.a]', True),
        ("tenant == 'tenant'", False),
    ],
)
def test_a_rule_says_what_it_reads_like(text: str, answer: bool) -> None:
    assert holds(parse(text), SCOPE) is answer


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("", 0, "a name is expected here: tenant, edition, environment, application"),
        ("tenat == a", 0, "'tenat' is not a part of a scope; did you mean 'tenant'?"),
        ("zone == a", 0, "known here: tenant, edition, environment, application"),
        ("tenant", 6, "'==', '!=', 'in' or 'not in' is expected here"),
        ("tenant not [a]", 7, "'not in' is expected here"),
        ("tenant = a", 7, "write '==' to compare"),
        ("tenant == ", 10, "a text is expected here"),
        ("tenant == and", 10, "a text is expected here"),
        ("'acme' == tenant", 0, "a name is expected here"),
        ("tenant == environment", 10, "not with another name"),
        ("tenant == environment.x", 10, "not with another name"),
        ("tenant in acme", 10, "a list is expected here"),
        ("tenant in []", 11, "a text is expected here"),
        ("tenant in [a b]", 13, "a ',' or the list's ']' is missing"),
        ("tenant in [a, ", 14, "a text is expected here"),
        ("(tenant == a", 12, "a ')' is missing here"),
        ("tenant == a)", 11, "'and', 'or' or the end is expected here"),
        ("tenant == a adn tenant == b", 12, "did you mean 'and'?"),
        ("tenant == a and", 15, "a name is expected here"),
        ("tenant == a && tenant == b", 12, "write 'and'"),
        ("tenant == a || tenant == b", 12, "write 'or'"),
        ("!tenant == a", 0, "write 'not'"),
        ("tenant < a", 7, "only '==', '!=', 'in' and 'not in' compare"),
        ("tenant == 'a", 10, "the text is not closed"),
        ("tenant == {t}", 10, "braces need 'for_each'"),
        ("tenant == a/b", 11, "stands in quotes"),
        ("tenant.upper() == a", 12, "is expected here"),
        ("__import__('os')", 0, "is not a part of a scope"),
        ("(" * 60 + "tenant == a" + ")" * 60, 51, "is nested too deeply"),
        ("not " * 60 + "tenant == a", 204, "is nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_where_it_stands(text: str, at: int, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.at == at


def test_a_rule_of_many_comparisons_is_as_good_as_a_short_one() -> None:
    rule = parse(" or ".join(f"tenant == t{number}" for number in range(20_000)))
    assert not holds(rule, SCOPE)
    assert len(list(names(rule))) == 20_000


def test_a_rule_names_all_it_asks_for_whatever_the_answer_needs() -> None:
    asked = [
        name.text for name in names(parse("tenant == acme or not (edition in [a] and tenant.region != eu)"))
    ]
    assert asked == ["tenant", "edition", "tenant.region"]


WORDS = st.text("abct.-_0é '(", min_size=1, max_size=4).filter(lambda word: "\\" not in word)
LEAVES = st.builds(
    Among,
    st.builds(Name, st.sampled_from(["tenant", "edition"]), st.sampled_from([None, "a", "b-c"]), st.just(0)),
    st.frozensets(WORDS, min_size=1, max_size=3),
)
RULES: st.SearchStrategy[Rule] = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(Every, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Some, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


def spelled(rule: Rule) -> str:
    match rule:
        case Among():
            return f"{rule.name.text} in [{', '.join(_quoted(text) for text in sorted(rule.texts))}]"
        case Not():
            return f"not ({spelled(rule.rule)})"
        case Every():
            return " and ".join(f"({spelled(each)})" for each in rule.rules)
        case Some():
            return " or ".join(f"({spelled(each)})" for each in rule.rules)


def _quoted(text: str) -> str:
    return f'"{text}"'


@given(RULES)
def test_a_rule_that_is_spelled_out_is_read_as_it_was_meant(rule: Rule) -> None:
    assert parse(spelled(rule)) == rule


@given(RULES, st.fixed_dictionaries(dict.fromkeys(("tenant", "edition"), WORDS)), WORDS)
def test_a_rule_and_its_opposite_never_agree(rule: Rule, parts: dict[str, str], owned: str) -> None:
    values = {**parts, **{name.text: owned for name in names(rule) if name.owned}}
    assert holds(parse(f"not ({spelled(rule)})"), values) is not holds(rule, values)


@given(st.text(st.sampled_from("tenant .=!()[],'\"andornotin{}<é\n"), max_size=40))
def test_whatever_is_written_is_a_rule_or_a_sentence_with_its_place(text: str) -> None:
    try:
        rule = parse(text)
    except RuleError as error:
        assert 0 <= error.at <= len(text)
        assert str(error)
    else:
        assert list(names(rule))
