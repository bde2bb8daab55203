"""Text that may leave this machine: paths without their folders."""

import re

# A path in quotes may hold spaces; another ends at a space or at punctuation.
_QUOTED = re.compile(r"""(?<=['"`])(?:file://|~\w*)?/(?:[^'"`\n]*/)?(?=[^'"`/\n]+/?['"`])""")
_BARE = re.compile(
    r"""(?<![\w/.~@-])(?:file://|~\w*)?/(?!/)(?:[^\s/'"`:,;()\[\]{}]+/)*(?=[^\s/'"`])"""
)
# In code a slash divides: a path has a folder at least, and nothing that is divided before it.
_IN_CODE = re.compile(r"(?<![\w)\]}/.~@-])(?:~\w*)?/(?:[\w.+-]+/)+(?=[\w.*])")


def without_folders(text: str) -> str:
    """Return the text with the last part alone of every absolute path, and of those from ~."""
    return _BARE.sub("", _QUOTED.sub("", text))


def code_without_folders(text: str) -> str:
    """Return source code with the last part alone of every absolute path in it."""
    return _IN_CODE.sub("", _QUOTED.sub("", text))
