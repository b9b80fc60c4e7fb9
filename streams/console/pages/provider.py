"""Signing in by an OpenID provider: there, and back."""

import logging
from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from streams.console import sessions
from streams.console.actors import actor_of, digest_of
from streams.console.cookies import (
    SIGN_IN_SECONDS,
    carry,
    carry_sign_in,
    end_sign_in,
    sign_in_of,
)
from streams.console.oidc import OidcAway, OidcProvider, OidcRefusal, begun
from streams.console.pages.sign_in import go_on, safe_target
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.log_events import event
from streams.operate.errors import UsageError
from streams.serve.roles import Who, oidc_key

DENIALS = ("access_denied", "login_required", "consent_required", "interaction_required")
"""What a provider says when a person, or it, has refused; all else is a fault of the set-up."""
_log = logging.getLogger("streams.console")


def begin(asked: PageRequest) -> Response:
    """Sends the browser to the provider. A sign-in that had begun in it before ends."""
    provider = _provider(asked)
    before = sessions.fingerprint(asked.session) if asked.session else ""
    sign_in = begun(safe_target(asked.query("next")), before)
    try:
        answer = RedirectResponse(provider.address(sign_in), 303)
    except OidcAway as error:
        raise _away(error) from None
    carry_sign_in(asked, answer, sign_in)
    return answer


def finish(asked: PageRequest) -> Response:
    """Begins a session of whom the provider has signed in, or says what is in the way."""
    provider = _provider(asked)
    try:
        answer = _finished(asked, provider)
    except PageRefusal as refusal:
        asked.console.counting.refused_sign_in()
        said = {"key": refusal.key, "says": refusal.says}
        answer = page(asked, "refusal.html", said, status=refusal.status)
    end_sign_in(asked, answer)
    return answer


def _provider(asked: PageRequest) -> OidcProvider:
    if asked.console.oidc is None:
        raise PageRefusal(404, "error.missing")
    return asked.console.oidc


def _finished(asked: PageRequest, provider: OidcProvider) -> Response:
    sign_in, state = sign_in_of(asked), asked.query("state")
    if sign_in is None or not provider.began(sign_in, state):
        raise PageRefusal(403, "error.oidc_state")
    # The provider may take a code twice, and who has the cookie has the state: so it counts here.
    if not sessions.use_up(asked.console.engine, state, asked.now, 2 * SIGN_IN_SECONDS):
        raise PageRefusal(403, "error.oidc_state")
    if asked.query("error"):
        why = asked.query("error")
        raise PageRefusal(403, "error.oidc_denied", why=why if why in DENIALS else "error")
    if not asked.query("code"):
        raise PageRefusal(403, "error.oidc_token", why="code")
    try:
        claim = provider.claim(sign_in, asked.query("code"), asked.query("iss"))
    except OidcAway as error:
        raise _away(error) from None
    except OidcRefusal as error:
        _log.warning("a sign-in was refused: %s", error.why, extra=event("sign_in_refused"))
        raise PageRefusal(403, "error.oidc_token", why=error.why) from None
    holder, who = _known(asked, claim)
    session = sessions.begin(asked.console.engine, holder, who.actor, asked.now, sign_in.before)
    signed_in = replace(asked, session=session, who=who, holder=holder)
    answer = page(signed_in, "signed_in.html", {"target": sign_in.target})
    go_on(answer, sign_in.target)
    carry(asked, answer, session)
    return answer


def _known(asked: PageRequest, claim: str) -> tuple[str, Who]:
    """Returns the person of a claim, by the mapping file and the roles file."""
    chosen = asked.console.settings
    try:
        actor = actor_of(claim, chosen.oidc_actors_file)
    except UsageError as error:
        _log.error("nobody is let in: %s", error, extra=event("nobody_let_in"))
        raise PageRefusal(503, "error.oidc_actors") from None
    if actor is None:
        said = {"claim": chosen.oidc_claim, "digest": digest_of(claim)}
        key = "error.oidc_unfit" if chosen.oidc_actors_file is None else "error.oidc_unmapped"
        raise PageRefusal(403, key if claim else "error.oidc_no_claim", **said)
    holder = oidc_key(actor)
    who = asked.console.roles().get(holder)
    if who is None:
        raise PageRefusal(403, "error.oidc_no_role", actor=actor)
    return holder, who


def _away(error: OidcAway) -> PageRefusal:
    _log.error("the OpenID provider: %s", error, extra=event("provider_unreachable"))
    return PageRefusal(503, "error.oidc_away")
