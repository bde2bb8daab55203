"""The command line: `app` takes arguments, `terminal` shows progress, `tables` shows results."""


def main() -> None:
    """Entry point of the console script."""
    from darbench.cli.app import main

    main()
