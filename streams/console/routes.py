"""The table of all routes. tests/console/matrix.py has a row for each, with who may.

`needs` is the role without which a route answers 403; SIGNED_IN: any; ANYBODY: nobody has to be
signed in; NOBODY: who asks is not even looked up, so that it answers without a database. Every
POST needs the token of its form.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum, unique
from typing import NamedTuple

from starlette.responses import Response

from streams.console.oidc import RETURN_PATH
from streams.console.pages import (
    account,
    actions,
    backtests,
    evidence,
    letters,
    looks,
    overview,
    policies,
    provider,
    readiness,
    reports,
    server_sent,
    sign_in,
    static,
    worklists,
)
from streams.console.site import PageRequest
from streams.serve.roles import Role

Page = Callable[[PageRequest], Response]
STREAM_PATH = "/live"
"""Where a page listens by itself as long as it is open."""


@unique
class Open(StrEnum):
    """What a route without a role needs: a signed-in person, or nothing."""

    NOBODY = "nobody is asked for"
    ANYBODY = "anybody"
    SIGNED_IN = "signed in"


class Route(NamedTuple):
    """A row of ROUTES: path, method, the role that is needed, and the function of the page."""

    method: str
    path: str
    page: Page
    needs: Role | Open
    logged: bool = False
    whose: Callable[[PageRequest], Sequence[str]] | None = None
    told: Callable[[PageRequest], str] | None = None


ROUTES = (
    Route("GET", "/static/{name}", static.show, Open.NOBODY),
    Route("GET", "/healthz", static.alive, Open.NOBODY),
    Route("GET", "/readyz", static.ready, Open.NOBODY),
    Route("GET", "/sign-in", sign_in.form, Open.ANYBODY),
    Route("POST", "/sign-in", sign_in.enter, Open.ANYBODY),
    Route("GET", "/sign-in/provider", provider.begin, Open.ANYBODY),
    Route("GET", RETURN_PATH, provider.finish, Open.ANYBODY),
    Route("POST", "/view", sign_in.view, Open.ANYBODY),
    Route("POST", "/sign-out", sign_in.leave, Open.SIGNED_IN),
    Route("POST", "/sign-out-everywhere", sign_in.leave_everywhere, Open.SIGNED_IN),
    Route("GET", "/", overview.show, Open.SIGNED_IN),
    Route("GET", STREAM_PATH, server_sent.stream, Role.NUMBERS),
    Route("GET", "/accounts", account.search, Role.ACCOUNTS, True, account.searched),
    Route("GET", "/accounts/{account}", account.show, Role.ACCOUNTS, logged=True),
    Route("GET", "/worklists/{list}", worklists.show, Role.ACCOUNTS, True, told=worklists.told),
    Route("GET", "/dead-letters", letters.show, Role.ACCOUNTS, True, told=letters.told),
    Route("GET", "/dead-letters/{place}", letters.one, Role.ACCOUNTS, True, letters.whose),
    Route("GET", "/actions/{what}", actions.form, Role.OPERATOR, logged=True),
    Route("POST", "/actions/{what}", actions.preview, Role.OPERATOR, True, looks.ordered),
    Route("GET", "/proposals", actions.listed, Role.ACCOUNTS, logged=True),
    Route("GET", "/proposals/{id}", actions.show, Role.ACCOUNTS, True, looks.of_order, looks.order),
    Route("POST", "/proposals/{id}/send", actions.send, Role.OPERATOR),
    Route("POST", "/proposals/{id}/undo", actions.undo, Role.OPERATOR, True, looks.of_order),
    Route("POST", "/proposals/{id}/approve", actions.approve, Role.APPROVER),
    Route("POST", "/proposals/{id}/decline", actions.decline, Role.APPROVER),
    Route("GET", "/policies", policies.show, Role.NUMBERS),
    Route("GET", "/policies/shadow", readiness.shadow, Role.NUMBERS),
    Route("POST", "/policies/shadow", readiness.work_shadow_out, Role.NUMBERS),
    Route("GET", "/policies/rollout", readiness.rollout, Role.NUMBERS),
    Route("POST", "/policies/rollout", readiness.work_rollout_out, Role.NUMBERS),
    Route("GET", "/policies/backtests", backtests.show, Role.NUMBERS),
    Route("GET", "/policies/backtests/{report}", backtests.one, Role.NUMBERS),
    Route("GET", "/policies/backtests/{report}/accounts", backtests.accounts, Role.ACCOUNTS, True),
    Route("GET", "/policies/{digest}", policies.one, Role.NUMBERS),
    Route("GET", "/reports", reports.show, Role.NUMBERS),
    Route("GET", "/reports/download", reports.download, Role.NUMBERS),
    Route("GET", "/reports/evidence", evidence.show, Role.AUDITOR),
    Route("POST", "/reports/evidence", evidence.gather, Role.AUDITOR),
    Route("GET", "/reports/evidence/{report}", evidence.download, Role.AUDITOR, logged=True),
    Route("GET", "/accesses", reports.accesses, Role.AUDITOR),
)
"""Every route. `logged`: who asked is written down before the page is made, with the account that
is in the path, or each of those that `whose` finds, and the route or what `told` says instead.
"""
