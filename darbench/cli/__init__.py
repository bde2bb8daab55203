"""The command line: `app` takes arguments, `terminal` shows progress, `tables` and `texts` show
results, `entry` ends it."""


def main() -> None:
    """Entry point of the console script."""
    from darbench.cli.entry import main as run

    run()
