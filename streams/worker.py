"""For Faust's own command line: `faust -A streams.worker worker -l info`.

The same app as `byline worker`.
"""

from streams.app import create_app
from streams.settings import load

app = create_app(load())
