"""Everything that can happen to one key on a few links, told by searching every order it can happen in.

Parties (the links' places, and a hand in the store) move at most once each; runs see any of the places,
in any order, any number of times. What a party knew when it moved, the value and rank of the version
its place was last in step with, is part of its move: to change a value one has seen is another act than
to change the value before it. Two histories of the same moves must come to rest in the same end.

``python -m tests.decisions.histories 3`` tells all of three links, which takes some minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, combinations, product

from ecs_sync.model import Rank
from ecs_sync.policy import JobPolicy, Mode

from .world import Engine, Side, Value, Version, World, Wrong, link, value

Move = tuple[Value, Version | None]
"""What a party moved to, and what it knew."""

Moves = tuple[Move | None, ...]
"""Of each link, then of the hand."""

Node = tuple[World, Moves]

Ends = dict[Moves, set[tuple[Value, ...]]]
"""All that each set of moves came to rest in. One end each, where order does not matter."""

SHARED = value("shared")

CREATED = World((), ())
"""Nobody has the key yet."""

BASE = value("base")
ESTABLISHED = World((Version(BASE, Rank(0, "somebody")),), ())
"""All hold the same value, and know it."""


def starts_of(engine: Engine) -> Iterator[World]:
    """A key that all hold; and one that nobody has, where its creations know no deletes to be ruled on."""
    yield ESTABLISHED._replace(sides=(Side(BASE, 1, BASE),) * len(engine.links))
    if not engine.job.delete_wins:
        yield CREATED._replace(sides=(Side(None, 0, None),) * len(engine.links))


def engines_of(links: int, modes: Iterable[Mode], wrong: Wrong = Wrong.NOTHING) -> Iterator[Engine]:
    """Every mode on every link, the hand's rank at every height, and both words on deletes.

    The links' own ranks rise with their index: any other order is one of these under other names.
    """
    for said in product(list(modes), repeat=links):
        named = tuple(link(f"link{i}", mode, 10 * (i + 1)) for i, mode in enumerate(said))
        for hand in range(links + 1):
            for delete_wins in (False, True):
                job = JobPolicy(delete_wins=delete_wins)
                yield Engine(named, job, Rank(10 * hand + 5, ""), wrong)


def interleaved(engine: Engine, start: World) -> Ends:
    """Every party moves at any moment or not at all, with any runs before, between and after."""
    nobody: Moves = (None,) * (len(start.sides) + 1)
    return _ends(engine, [(start, nobody)], lambda node: chain(_looks(engine, node), _moves(engine, node)))


def lagging(engine: Engine, start: World) -> Ends:
    """All moves come first; then the runs see any of the places in any order."""
    nodes: list[Node] = [(start, (None,) * (len(start.sides) + 1))]
    for party in range(len(start.sides) + 1):
        nodes += [after for node in nodes for after in _moves_of(engine, node, party)]
    # A shared value that one party alone moved to is a value of its own.
    telling = [node for node in nodes if sum(move is not None and move[0] == SHARED for move in node[1]) != 1]
    return _ends(engine, telling, lambda node: _looks(engine, node))


def _ends(engine: Engine, seeds: list[Node], steps: Callable[[Node], Iterable[Node]]) -> Ends:
    ends: Ends = {}
    rests: dict[World, tuple[Value, ...]] = {}
    known, waiting = set(seeds), list(seeds)
    while waiting:
        node = waiting.pop()
        world, moves = node
        if world not in rests:
            rests[world] = engine.rest(world).end
        ends.setdefault(moves, set()).add(rests[world])
        for after in steps(node):
            if after not in known:
                known.add(after)
                waiting.append(after)
    return ends


def _looks(engine: Engine, node: Node) -> Iterator[Node]:
    world, moves = node
    links = range(len(world.sides))
    for seen in chain.from_iterable(combinations(links, size) for size in range(1, len(links) + 1)):
        yield engine.look(world, seen), moves


def _moves(engine: Engine, node: Node) -> Iterator[Node]:
    return chain.from_iterable(_moves_of(engine, node, party) for party in range(len(node[1])))


def _moves_of(engine: Engine, node: Node, party: int) -> Iterator[Node]:
    """To a value of its own, to a value that others may move to as well, or away.

    A key that nobody had is only created: without a base, no engine can tell whether a value was made
    before or after a delete that its place has not seen. (It is adopted, as a value beats a delete.)
    """
    world, moves = node
    by_hand = engine.hand if party == len(world.sides) else None
    if moves[party] is not None or (party == len(world.sides) and by_hand is None):
        return
    held = world.value if by_hand else world.sides[party].place
    knew = _newest(world, len(world.history) if by_hand else world.sides[party].base_version)
    away = (None,) if world.history[:1] == ESTABLISHED.history else ()
    for to in (value(f"own{party}"), SHARED, *away):
        if to != held:
            after = world.committed(Version(to, by_hand)) if by_hand else world.moved(party, to)
            yield after, (*moves[:party], (to, knew), *moves[party + 1 :])


def _newest(world: World, version: int) -> Version | None:
    return world.history[version - 1] if version else None


def _main(links: int) -> None:
    situations = dependent = 0
    for engine in engines_of(links, (Mode.TWO_WAY, Mode.IMPORT)):
        for start in starts_of(engine):
            ends = interleaved(engine, start)
            situations += len(ends)
            dependent += sum(len(each) > 1 for each in ends.values())
            print(f"{links} links: {situations} situations, {dependent} depend on the order", flush=True)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
