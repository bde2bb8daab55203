"""Text that may leave this machine: paths without their folders."""

import re

# A path in quotes may hold spaces; another ends at a space or at punctuation.
_QUOTED = re.compile(r"""(?<=['"`])(?:file://|~\w*)?/(?:[^'"`\n]*/)?(?=[^'"`/\n]+/?['"`])""")
_BARE = re.compile(
    r"""(?<![\w/.~@-])(?:file://|~\w*)?/(?!/)(?:[^\s/'"`:,;()\[\]{}]+/)*(?=[^\s/'"`])"""
)


def without_folders(text: str) -> str:
    """Return the text with the last part alone of every absolute path, and of those from ~."""
    return _BARE.sub("", _QUOTED.sub("", text))
