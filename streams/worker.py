"""The app of `byline worker` for Faust's command line: `faust -A streams.worker worker -l info`.

Errors that a person has to fix are printed without a traceback, like those of `byline worker`.
"""

import sys

from streams.app import create_app
from streams.cli import EXIT_USAGE, OURS_TO_EXPLAIN
from streams.cli.output import echo_error
from streams.settings import load

try:
    app = create_app(load())
except OURS_TO_EXPLAIN as error:
    echo_error(str(error))
    sys.exit(EXIT_USAGE)
