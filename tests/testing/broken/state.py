"""Mistakes of the verbs: what they return, and what they leave behind."""

import torch

from tests.testing.healthy import Attentive, Scaled


class ExtraAxis(Scaled):
    """A read that forgets to take the axis of streams away."""

    caught_by, says = "shapes_and_dtypes", "has shape (2, 4, 1, 16)"

    def read(self, state, site):
        return state.unsqueeze(-2)


class FixedDtype(Scaled):
    """A read in float32 whatever the model's precision."""

    caught_by, says = "shapes_and_dtypes", "has dtype torch.float32"

    def read(self, state, site):
        return state.float()


class ListState(Scaled):
    """A state that is a list, which every write would share."""

    caught_by, says = "state_is_tensors", "holds list at state"

    def begin(self, x, cond):
        return [x]

    def read(self, state, site):
        return sum(state)

    def write(self, state, site, v):
        return [*state, self.a[site] * v]


class CountsInTheState(Scaled):
    """A state with a number in it, which a graph would be specialised to."""

    caught_by, says = "state_is_tensors", "holds int at state[1]"

    def begin(self, x, cond):
        return x, 0

    def read(self, state, site):
        return state[0]

    def write(self, state, site, v):
        stream, count = state
        return stream + self.a[count] * v, count + 1


class AddsInPlace(Scaled):
    """A write that changes the state it was given, here even the embedding."""

    caught_by, says = "pure", "write of site 0 (block 0, attention) changes the given state"

    def write(self, state, site, v):
        state += self.a[site].detach() * v
        return state


class KeepsTheLastRead(Scaled):
    """A read that leaves its answer on the module."""

    caught_by, says = "pure", "self.last is changed by a pass"

    def read(self, state, site):
        self.last = state
        return state


class HistoryOnSelf(Scaled):
    """The history kept on the module: two passes share it."""

    caught_by, says = "passes_do_not_meet", "of two interleaved passes differs"

    def begin(self, x, cond):
        self.history = [x]
        return x

    def read(self, state, site):
        return sum(self.history[: site + 1])

    def write(self, state, site, v):
        self.history.append(self.a[site] * v)
        return v


class ReadsAnEarlierPass(Attentive):
    """Keys of an earlier pass, kept to save time: the future of this one."""

    caught_by, says = "causal", "answers differently once later sites have written"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.seen = {}

    def read(self, state, site):
        kept = self.seen.get(site + 1)
        return super().read(state, site) + (0 if kept is None else 0.1 * kept)

    def write(self, state, site, v):
        self.seen[site + 1] = v
        return super().write(state, site, v)


class SharedHistory(Scaled):
    """One list, appended to by every write: an old state sees what came later."""

    caught_by, says = "causal", "answers differently once later sites have written"

    def begin(self, x, cond):
        return ([x],)

    def read(self, state, site):
        return torch.stack(state[0]).sum(0)

    def write(self, state, site, v):
        state[0].append(self.a[site] * v)
        return state
