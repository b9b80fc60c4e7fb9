"""Who may what: a row for each route and method. test_access.py asks all of it, and all beside it.

A row names the persons (given.TOKENS) whom the console answers; `*`: also who is not signed in.
"""

ALL = ("accounts", "numbers", "viewer", "operator", "approver", "auditor")
ANYBODY = ("*", *ALL)
NUMBERS = ("numbers", "viewer", "operator", "approver", "auditor")
ACCOUNTS = ("accounts", "viewer", "operator", "approver", "auditor")

MATRIX: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "/static/{name}"): ANYBODY,
    ("GET", "/healthz"): ANYBODY,
    ("GET", "/readyz"): ANYBODY,
    ("GET", "/metrics"): ANYBODY,
    ("GET", "/sign-in"): ANYBODY,
    ("POST", "/sign-in"): ANYBODY,
    ("GET", "/sign-in/provider"): ANYBODY,
    ("GET", "/sign-in/done"): ANYBODY,
    ("POST", "/view"): ANYBODY,
    ("POST", "/sign-out"): ALL,
    ("POST", "/sign-out-everywhere"): ALL,
    ("GET", "/"): ALL,
    ("GET", "/live"): NUMBERS,
    ("GET", "/accounts"): ACCOUNTS,
    ("GET", "/accounts/{account}"): ACCOUNTS,
    ("GET", "/worklists/{list}"): ACCOUNTS,
    ("GET", "/dead-letters"): ACCOUNTS,
    ("GET", "/dead-letters/{place}"): ACCOUNTS,
    ("GET", "/actions/{what}"): ("operator",),
    ("POST", "/actions/{what}"): ("operator",),
    ("GET", "/proposals"): ACCOUNTS,
    ("GET", "/proposals/{id}"): ACCOUNTS,
    ("POST", "/proposals/{id}/send"): ("operator",),
    ("POST", "/proposals/{id}/undo"): ("operator",),
    ("POST", "/proposals/{id}/approve"): ("approver",),
    ("POST", "/proposals/{id}/decline"): ("approver",),
    ("GET", "/policies"): NUMBERS,
    ("GET", "/policies/shadow"): NUMBERS,
    ("POST", "/policies/shadow"): NUMBERS,
    ("GET", "/policies/rollout"): NUMBERS,
    ("POST", "/policies/rollout"): NUMBERS,
    ("GET", "/policies/backtests"): NUMBERS,
    ("GET", "/policies/backtests/{report}"): NUMBERS,
    ("GET", "/policies/backtests/{report}/accounts"): ACCOUNTS,
    ("GET", "/policies/{digest}"): NUMBERS,
    ("GET", "/reports"): NUMBERS,
    ("GET", "/reports/download"): NUMBERS,
    ("GET", "/reports/evidence"): ("auditor",),
    ("POST", "/reports/evidence"): ("auditor",),
    ("GET", "/reports/evidence/{report}"): ("auditor",),
    ("GET", "/accesses"): ("auditor",),
}

PLACES = {
    "{name}": "console.css",
    "{account}": "weibo:a5",
    "{list}": "pending",
    "{digest}": "0" * 64,
    "{what}": "controls",
    "{place}": "controls[0]@0",
    "{id}": "0" * 32,
    "{report}": "0" * 32,
}
"""What stands in a path's place in the tests."""
