"""The code of a page's routings, packed, each text once: read by scripts/sources.js."""

import json
from collections.abc import Iterable
from pathlib import Path

from darbench.board.leaderboard import Leaderboard
from darbench.pages.inert import packed
from darbench.store.sources import read_sources

ROOM = 1_000_000  # characters of code that a page carries at most, a quarter of it once packed


def sources(boards: Iterable[Leaderboard], folder: Path) -> str:
    """Return what is kept beside the ledger of the routings of all entries, leading ones first.

    JSON of `texts` and of `sources` by hash: names of files, each with the number of its text.
    """
    rows = [row for board in boards for row in board.rows]
    hashes = dict.fromkeys(row.variant_code_hash for row in rows if row.variant_code_hash)
    places: dict[str, int] = {}
    held, room = {}, ROOM
    for code_hash, source in read_sources(folder, hashes).items():
        room -= sum(len(text) for text in {*source.files.values()} - places.keys())
        if room < 0:
            break
        files = [
            [name, places.setdefault(text, len(places))] for name, text in source.files.items()
        ]
        held[code_hash] = {"files": files, "bibtex": source.bibtex}
    return packed(json.dumps({"texts": [*places], "sources": held}, ensure_ascii=False))
