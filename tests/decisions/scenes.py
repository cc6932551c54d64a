"""Hypothesis strategies for one key on one to four links, consistent as an engine would have it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from ecs_sync.decide import decide
from ecs_sync.diff import UNSEEN, Image, Observed, Unsayable
from ecs_sync.model import Rank
from ecs_sync.policy import (
    WORDS,
    Action,
    First,
    JobPolicy,
    LinkPolicy,
    Mode,
    Rule,
    Settlement,
    Standing,
    Strength,
    View,
    Why,
    Word,
    Words,
)

from .world import Value, value

A, OTHER_A, B, C = (value(name) for name in ("a", "A", "b", "c"))
LINKS = ("north", "east", "south", "west")


@dataclass(frozen=True, slots=True)
class Lens:
    """How a link's mapping says values: some are folded into one image, some cannot be said."""

    folded: tuple[tuple[Value, Value], ...] = ()
    refused: tuple[Value, ...] = ()

    def image(self, value: Value) -> Image:
        if value in self.refused:
            return Unsayable("too long")
        return dict(self.folded).get(value, value)


PLAIN = Lens()
LENSES = (PLAIN, Lens(folded=((OTHER_A, A),)), Lens(refused=(C,)))


@dataclass(frozen=True, slots=True)
class Scene:
    """A job, the store's history of one key (oldest first), and each link's view of it."""

    job: JobPolicy
    history: tuple[tuple[Value, Rank], ...]
    views: tuple[View, ...]
    lenses: tuple[tuple[str, Lens], ...]

    @property
    def standing(self) -> Standing:
        return Standing(len(self.history), self.history[-1][0] if self.history else None)

    def image(self, link: str, value: Value) -> Image:
        return dict(self.lenses)[link].image(value)

    def settlement(self) -> Settlement:
        return decide(self.job, self.standing, self.views, self.image)

    def settled(self, settlement: Settlement) -> Scene:
        """The scene once a settlement has been carried out, everything else being as it was."""
        by_name = {view.link: view for view in self.views}
        history = self.history
        if settlement.adopt:
            winner = by_name[settlement.adopt]
            history = (*history, (winner.adopted, winner.policy.rank))
        if settlement.raised:
            history = (*history, (history[-1][0], by_name[settlement.raised].policy.rank))
        after = replace(self, history=history)
        decided = zip(self.views, settlement.decisions, strict=True)
        views = tuple(after._after(view, decision.action, decision.why) for view, decision in decided)
        return replace(after, views=views)

    def _after(self, view: View, action: Action, why: Why | None) -> View:
        version, now = len(self.history), self.standing.value
        match action:
            case Action.PUSH:
                image = self.image(view.link, now)
                assert not isinstance(image, Unsayable)
                view = replace(view, base=image, base_version=version, observed=image, adopted=image)
            case Action.ADOPT | Action.REBASE:
                view = replace(view, base=view.adopted, base_version=version)
            case Action.HOLD | Action.NOTHING:
                pass
        lost = why is Why.LOST or (view.lost and self.standing.version == version)
        return replace(view, later=strengths(self.history, view.base_version), lost=lost)


def strengths(history: tuple[tuple[Value, Rank], ...], since: int) -> tuple[Strength, ...]:
    """As `View` documents ``later``."""
    if since == 0:
        since = max((n for n, (value, _) in enumerate(history, 1) if value is None), default=0)
    return tuple(Strength(value is not None, rank) for value, rank in history[since:])


MODE_WORDS = st.sampled_from(list(Mode)).map(lambda mode: (mode, WORDS[mode]))

ANY_WORDS = st.tuples(
    st.sampled_from([mode for mode in Mode if mode is not Mode.AUDIT]),
    st.builds(
        Words,
        pending=st.sampled_from([Word.PUSH, Word.HOLD]),
        drifted=st.sampled_from([Word.PUSH, Word.ADOPT, Word.HOLD]),
        conflict=st.sampled_from(list(Word)),
        foreign=st.sampled_from([Word.ADOPT, Word.HOLD]),
    ),
)
"""Each word set by itself, as a link's configuration may."""


def _coherent(spoken: tuple[Mode, Words]) -> bool:
    words = spoken[1]
    adopts = words.drifted is Word.ADOPT and words.foreign is Word.ADOPT
    return adopts or words.conflict not in (Word.ADOPT, Word.RULE)


COHERENT_WORDS = ANY_WORDS.filter(_coherent)
"""A link whose place may win a conflict also adopts what moved there alone.

Otherwise what another link brings turns a drift that is not adopted into a conflict that is.
"""

EITHER = st.booleans()
ANY_LENS = st.sampled_from(LENSES)


@st.composite
def scenes(
    draw: st.DrawFn,
    spoken: st.SearchStrategy[tuple[Mode, Words]] = MODE_WORDS,
    first: st.SearchStrategy[bool] = EITHER,
) -> Scene:
    """Any job, any history of up to four versions, and links that stand anywhere towards it."""
    job = JobPolicy(draw(st.sampled_from(Rule)), draw(st.booleans()))
    names = draw(st.lists(st.sampled_from(LINKS), min_size=1, max_size=4, unique=True))
    ranks = st.builds(Rank, st.integers(0, 4), st.sampled_from(["", *LINKS]))
    values: st.SearchStrategy[Value] = st.sampled_from([None, A, OTHER_A, B, C])
    history = tuple(draw(st.lists(st.tuples(values, ranks), max_size=4)))
    if history and history[0][0] is None:
        history = ((B, history[0][1]), *history)
    said = {name: draw(ANY_LENS) for name in names}
    views = tuple(_view(draw, name, draw(spoken), draw(first), history, said[name]) for name in names)
    return Scene(job, history, views, tuple(said.items()))


def _view(
    draw: st.DrawFn,
    name: str,
    spoken: tuple[Mode, Words],
    first: bool,
    history: tuple[tuple[Value, Rank], ...],
    lens: Lens,
) -> View:
    mode, words = spoken
    policy = LinkPolicy(
        name,
        mode,
        words,
        priority=draw(st.integers(0, 4)),
        first=draw(st.sampled_from(First)),
        deletes=draw(st.booleans()),
        prune=draw(st.booleans()),
    )
    images = [lens.image(value) for value, _ in history]
    met = [n for n, image in enumerate(images, 1) if not isinstance(image, Unsayable)]
    version = draw(st.sampled_from([0, *met]))
    image = images[version - 1] if version else None
    base = None if isinstance(image, Unsayable) else image
    places: list[Observed] = [UNSEEN, None, base, *(v for v in (A, B, C) if lens.image(v) == v)]
    observed = draw(st.sampled_from(places))
    adopted = observed if isinstance(observed, bytes) else None
    return View(policy, base, version, observed, adopted, strengths(history, version), first)
