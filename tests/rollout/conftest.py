"""The command in this process, as the tests of the command line have it."""

from tests.cli.conftest import byline, clean_environment

__all__ = ["byline", "clean_environment"]
