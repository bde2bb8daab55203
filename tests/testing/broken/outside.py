"""Mistakes that reach out of the computation: files, network, and Python's own control flow."""

import socket
import threading
from pathlib import Path

import torch

from tests.testing.healthy import Attentive, Scaled


class ReadsAFile(Scaled):
    """Settings from a file, in begin."""

    caught_by, says = "no_files_no_network", "broken/outside.py:"

    def begin(self, x, cond):
        Path(__file__).read_bytes()
        return x


class CallsHome(Scaled):
    """A look-up of a host, in the constructor."""

    caught_by, says = "no_files_no_network", "socket.getaddrinfo("

    def __init__(self, sites, width):
        super().__init__(sites, width)
        socket.getaddrinfo("localhost", 80)


LOCK = threading.Lock()


class HoldsALock(Scaled):
    """A global that no other process can be sent."""

    caught_by, says = "travels", "its global LOCK cannot be sent"

    def write(self, state, site, v):
        with LOCK:
            return super().write(state, site, v)


class Item(Attentive):
    """A value taken out of a tensor."""

    caught_by, says = "one_graph", "takes a value out of a tensor at"

    def weights(self, logits):
        return torch.softmax(logits / max(1.0, logits.abs().max().item()), dim=0).unsqueeze(-1)


class BranchOnValues(Scaled):
    """A Python `if` over the values of a tensor."""

    caught_by, says = "one_graph", "in write"

    def write(self, state, site, v):
        if v.abs().max() > 10:
            v = v / v.abs().max()
        return super().write(state, site, v)
