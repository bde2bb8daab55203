"""The tiers of a ranking: entries that data tell apart from the first of the tier above."""

import math
from collections.abc import Iterable, Iterator

from darbench.analysis.comparison import effect_against
from darbench.analysis.effects import SIGNIFICANT
from darbench.analysis.outcomes import Entry


def pair_level(tried: int) -> float:
    """The level at which two of so many entries are told apart: Bonferroni's, over all pairs."""
    return SIGNIFICANT / max(1, math.comb(tried, 2))


def tiers(
    ranked: Iterable[Entry], metric: str, tried: int
) -> Iterator[tuple[Entry, int | None, Entry]]:
    """Yield each entry, its tier, and the leader it was held against; `ranked` comes best first.

    An entry opens the next tier if it is worse than the leader of the current one. Which of two is
    the worse is read off the data that are tested, so a one-sided test would promise twice too
    much: the p value is two-sided. Fewer than two common pairs tell nothing: no tier.

    tried: how many entries might have been ranked, earlier versions and failures counted.
    """
    leader, tier, level = None, 1, pair_level(tried)
    for entry in ranked:
        held = leader or entry
        effect = effect_against(entry, held, metric)
        tested = effect is not None and effect.p_value is not None
        opens = tested and effect.mean > 0 and effect.p_value < level
        leader, tier = (entry, tier + 1) if opens else (held, tier)
        yield entry, tier if tested else None, held
