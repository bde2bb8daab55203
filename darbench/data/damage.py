"""What Pillow raises for image files that are damaged."""

import struct

from PIL import Image

# Its readers check little before they compute: a damaged PNG alone ends as an OSError, SyntaxError
# ("broken PNG file"), ValueError ("Truncated IHDR chunk"), IndexError, or an AssertionError where
# a palette has gone; in other formats it is TypeError, KeyError, EOFError or struct.error as well.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
