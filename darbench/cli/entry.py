"""The exit codes of commands: bad input is one line, never a traceback."""

import errno
import os
import signal
import sys
import traceback
from typing import NoReturn

from darbench.cli.answer import EXIT_BAD_INPUT, EXIT_INTERRUPTED
from darbench.cli.app import app
from darbench.cli.streams import forget, forgive
from darbench.errors import BadInput

FULL = (errno.ENOSPC, errno.EDQUOT)  # of a disk


def main() -> NoReturn:
    """Run the command line; the exit code is 2 for bad input, 130 after an interruption."""
    forgive()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler interrupts with it
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BadInput as error:
        code = _complain(str(error), EXIT_BAD_INPUT)
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno not in FULL:
            raise
        forget()
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        code = _complain(named, EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except SystemExit as error:  # in a user's code, which may say why
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(frame.filename)}:{frame.lineno}"
        code = _complain(f"{where}: ended the program ({error})", EXIT_BAD_INPUT)
    except Exception as error:
        if not hasattr(error, "format_message"):  # only usage errors of Typer have it
            raise
        code = _complain(error.format_message(), EXIT_BAD_INPUT)
    if code == EXIT_INTERRUPTED:
        print("darbench: interrupted", file=sys.stderr)
    sys.exit(code)


def _complain(message: str, code: int) -> int:
    print("darbench:", " ".join(message.split()), file=sys.stderr)
    return code
