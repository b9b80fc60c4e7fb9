"""The console's own metrics at `/metrics`: a closed list of numbers, without any account."""

from collections.abc import Awaitable, Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    generate_latest,
)
from starlette.requests import Request
from starlette.responses import Response

from schemas.enums import Command, Switch
from streams.letters.desk import WORK
from streams.process_metrics import show_process

NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "byline_console_answers_total": (
        "Answers of the console, by route and the first digit of the status.",
        ("route", "status"),
    ),
    "byline_console_refused_sign_ins_total": (
        "Sign-ins that were refused: nobody's token, or too many attempts.",
        (),
    ),
    "byline_console_orders_total": (
        "Records that persons sent from the console: by command, switch, redrive or dismiss.",
        ("word",),
    ),
}
"""Each metric: its help text and its labels. All are counters."""
ORDERS = (*map(str, Command), *map(str, Switch), *WORK)
"""All values of the label `word`."""


class Counting:
    """Counts what the console answers, refuses and sends."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        show_process(self.registry)
        self._made = {
            name: Counter(name, says, labels, registry=self.registry)
            for name, (says, labels) in NAMES.items()
        }
        for word in ORDERS:
            # From the start, so that the first order is an increase.
            self._made["byline_console_orders_total"].labels(word)

    def begin(self, route: str) -> None:
        """Shows a route's faults from the start, so that the first fault is an increase."""
        self._made["byline_console_answers_total"].labels(route, "5xx")

    def answer(self, route: str, status: int) -> None:
        """Counts one HTTP response by route and status."""
        self._made["byline_console_answers_total"].labels(route, f"{status // 100}xx").inc()

    def refused_sign_in(self) -> None:
        """Counts a sign-in that was refused."""
        self._made["byline_console_refused_sign_ins_total"].inc()

    def orders(self, word: str, count: int) -> None:
        """Counts what was sent."""
        self._made["byline_console_orders_total"].labels(word).inc(count)

    def handler(self) -> Callable[[Request], Awaitable[Response]]:
        """Returns the handler of `/metrics`. It asks for no sign-in: no account is in it."""

        async def handle(_: Request) -> Response:
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

        return handle
