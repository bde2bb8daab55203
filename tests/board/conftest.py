"""Pages in a real browser."""

from tests.make.browser import chromium, opened, scripts

__all__ = ["chromium", "opened", "scripts"]
