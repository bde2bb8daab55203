"""The command line, as `python -m darbench`."""

from darbench.cli import main

if __name__ == "__main__":
    main()
