"""For Faust's own command line: `faust -A streams.worker worker -l info`.

The same app as `byline worker`; what a person has to change is said without a traceback here, too.
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
