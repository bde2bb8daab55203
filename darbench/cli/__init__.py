"""The command line.

`verbs` take arguments, a file a group, and `app` unites them; `terminal` shows progress, `tables`
and `texts` show results, and `entry` sets the exit code.
"""


def main() -> None:
    """Run the command line; this is the entry point of the console script."""
    from darbench.cli.entry import main as run

    run()
