"""Buffers are copied, put back and held apart from weights, however they lie in memory."""

import torch
from torch import nn

from darbench.state.buffers import buffers, copied, put, reshaped, restore, shared


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(3))
        self.register_buffer("wide", torch.full((1,), torch.nan).expand(3))
        self.register_buffer("none", None)
        self.part = nn.Module()
        self.part.register_buffer("row", torch.zeros(2, 3))
        self.part.register_buffer("first", self.part.row[0])
        self.part.register_buffer("twin", self.part.row)


def test_copies_share_memory_among_themselves_alone():
    holder = Holder()
    made = copied(holder)
    assert made.keys() == {"wide", "part.row", "part.first", "part.twin"}
    made["part.row"].add_(1)
    assert made["part.first"].eq(1).all() and made["part.twin"].eq(1).all()
    assert not holder.part.row.any() and made["wide"].stride() == (0,)


def test_old_buffers_come_back_and_only_what_changed_is_written():
    holder = Holder()
    kept, content = buffers(holder), copied(holder)
    holder.wide = torch.zeros(3)  # another object, the old one is as it was
    holder.part.row.add_(1)  # the old one itself
    put(holder, kept)
    restore(kept, content)  # writing into an expanded buffer would raise
    assert holder.wide is kept["wide"] and holder.wide.isnan().all()
    assert not holder.part.row.any() and holder.part.twin is holder.part.row


def test_the_memory_of_a_parameter_is_told_whichever_view_it_is():
    holder = Holder()
    assert shared(holder) == ""
    holder.part.first = holder.w.detach()[1:]
    assert shared(holder) == "the buffer part.first shares its memory with the parameter w"


def test_another_form_is_told():
    first = {"a": torch.zeros(2), "b": torch.zeros(2)}
    assert reshaped(first, dict(first)) == ""
    assert reshaped(first, {"a": torch.zeros(2), "b": torch.zeros(3)}).endswith(
        "to torch.float32 (3,)"
    )
    assert reshaped(first, {"a": torch.zeros(2).double(), "b": first["b"]}).startswith(
        "the buffer a"
    )
    assert reshaped(first, {"a": torch.zeros(2)}) == "the buffer b from torch.float32 (2,) to none"
