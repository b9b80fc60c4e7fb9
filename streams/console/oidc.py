"""Signs people in by an OpenID provider: authorization code with PKCE, and a checked id token.

Nothing of a person leaves this module but one claim of the id token, and that only to become an
actor. Tokens are not kept, the provider is not asked for more, and no message has a claim's text.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    UnsupportedAlgorithmError,
)
from requests import RequestException

from streams.core.model.instants import HOUR, SECOND
from streams.settings import Settings
from streams.settings_checks import oidc_client_secret
from streams.settings_oidc import is_private

RETURN_PATH = "/sign-in/done"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Of an id token's signature: all by a key that only the provider has."""
LEEWAY_SECONDS = 60
TIMEOUT_SECONDS = 5.0
KEPT_MS = HOUR
"""How long what the provider says of itself, and its keys, are not asked for again."""
AWAY_MS = 10 * SECOND
"""How long one that did not answer is not asked again: who waits for it holds a thread of pages."""
KEYS_AGAIN_MS = 30 * SECOND
"""How long keys are not asked for again, although a token names one that is not among them."""


class OidcRefusal(Exception):
    """The provider's answer signs nobody in. `why`: a word of WHYS."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class OidcAway(Exception):
    """The provider does not answer, or not as one; the message says what, for the log."""


WHYS = ("code", "form", "signature", "alg", "iss", "aud", "azp", "exp", "iat", "nonce", "at_hash")
"""What can be wrong: the code, or the id token's form, signature or claim of this name."""


class BegunSignIn(NamedTuple):
    """What a browser carries from the beginning of its sign-in to the end.

    `seed`: random; it and the console's key make the three secrets. `target`: the page to go to.
    `before`: the fingerprint of the session that the browser had; empty: none.
    """

    seed: str
    target: str
    before: str = ""

    def secret(self, key: bytes, what: str) -> str:
        """Returns the secret `what` of this sign-in: state, nonce or verifier."""
        made = hmac.new(key, f"oidc {what}|{self.seed}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


def begun(target: str, before: str = "") -> BegunSignIn:
    """Begins a sign-in."""
    return BegunSignIn(secrets.token_urlsafe(24), target, before)


class OidcProvider:
    """The provider that the settings name.

    `clock` returns the present time in ms. `key`: of the console, which makes each secret.
    """

    def __init__(self, settings: Settings, clock: Callable[[], int], key: bytes) -> None:
        self._settings, self._clock, self._key = settings, clock, key
        self._issuer = str(settings.oidc_issuer)
        self._lock = Lock()
        self._said: dict[str, Any] = {}
        self._keys: list[Any] = []
        self._said_at = self._keys_at = -KEPT_MS
        self._away_until = 0

    def address(self, sign_in: BegunSignIn) -> str:
        """Returns the address to which the browser goes. Raises OidcAway."""
        made, _ = self._session().create_authorization_url(
            self._endpoint("authorization_endpoint"),
            state=sign_in.secret(self._key, "state"),
            nonce=sign_in.secret(self._key, "nonce"),
            code_verifier=sign_in.secret(self._key, "verifier"),
        )
        return str(made)

    def began(self, sign_in: BegunSignIn, state: str) -> bool:
        """Returns whether a state is that of this sign-in."""
        return hmac.compare_digest(state.encode(), sign_in.secret(self._key, "state").encode())

    def claim(self, sign_in: BegunSignIn, code: str, issuer: str) -> str:
        """Returns the stated claim of who has signed in, for the code that the browser brought.

        `issuer`: the parameter `iss` beside the code, empty without one (RFC 9207). Raises
        OidcRefusal or OidcAway.
        """
        promised = self._description().get("authorization_response_iss_parameter_supported")
        if (issuer or promised is True) and issuer != self._issuer:
            raise OidcRefusal("iss")
        answer = self._exchanged(code, sign_in.secret(self._key, "verifier"))
        token = self._decoded(str(answer.get("id_token", "")))
        self._check(token, sign_in.secret(self._key, "nonce"), answer.get("access_token"))
        found = token.claims.get(self._settings.oidc_claim)
        return found if isinstance(found, str) else ""

    def _session(self) -> Any:
        chosen = self._settings
        secret, known = oidc_client_secret(chosen), self._description()
        method = "client_secret_basic" if secret else "none"
        offered = known.get("token_endpoint_auth_methods_supported")
        # What is no list says nothing.
        offered = offered if isinstance(offered, list) else [method]
        if secret and method not in offered and "client_secret_post" in offered:
            method = "client_secret_post"
        return OAuth2Session(
            chosen.oidc_client_id,
            secret,
            token_endpoint_auth_method=method,
            scope=chosen.oidc_scope,
            redirect_uri=f"{str(chosen.console_address).rstrip('/')}{RETURN_PATH}",
            code_challenge_method="S256",
            default_timeout=TIMEOUT_SECONDS,
        )

    def _exchanged(self, code: str, verifier: str) -> dict[str, Any]:
        self._refuse_to_wait()
        session, endpoint = self._session(), self._endpoint("token_endpoint")
        try:
            answer: dict[str, Any] = session.fetch_token(
                endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                allow_redirects=False,
            )
        except OAuthError:
            raise OidcRefusal("code") from None
        except (RequestException, ValueError) as error:
            self._away_until = self._clock() + AWAY_MS
            raise OidcAway(f"its token endpoint: {type(error).__name__}") from None
        finally:
            session.close()
        return answer

    def _decoded(self, text: str) -> jwt.Token:
        """Returns a token that the provider has signed. Raises OidcRefusal or OidcAway."""
        for again in (False, True):
            try:
                keys = jwk.KeySet(self._provider_keys(again))
                return jwt.decode(text, keys, algorithms=list(ALGORITHMS))
            except (InvalidKeyIdError, BadSignatureError):
                # It may have new keys since.
                if again:
                    raise OidcRefusal("signature") from None
            except UnsupportedAlgorithmError:
                raise OidcRefusal("alg") from None
            except (JoseError, ValueError):
                raise OidcRefusal("form") from None
        raise AssertionError("unreachable")

    def _check(self, token: jwt.Token, nonce: str, access_token: Any) -> None:
        client = self._settings.oidc_client_id
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": str(client)},
                "sub": {"essential": True},
            },
            {"nonce": nonce, "client_id": client, "access_token": access_token},
        )
        try:
            claims.validate(self._clock() // 1000, LEEWAY_SECONDS)
        except ExpiredTokenError:
            raise OidcRefusal("exp") from None
        except ClaimError as error:
            raise OidcRefusal(error.claim if error.claim in WHYS else "form") from None
        except (JoseError, TypeError, ValueError):
            raise OidcRefusal("form") from None

    def _endpoint(self, name: str) -> str:
        found = str(self._description().get(name, ""))
        if not is_private(found):
            raise OidcAway(f"its description has no {name} by https")
        return found

    def _description(self) -> dict[str, Any]:
        """Returns what the provider says of itself."""
        with self._lock:
            now = self._clock()
            if not self._said or now - self._said_at >= KEPT_MS:
                place = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
                said = self._got(place)
                if said.get("issuer") != self._issuer:
                    raise OidcAway("its description has another issuer than BYLINE_OIDC_ISSUER")
                self._said, self._said_at = said, now
            return self._said

    def _provider_keys(self, again: bool) -> list[Any]:
        place = self._endpoint("jwks_uri")
        with self._lock:
            now = self._clock()
            if now - self._keys_at >= (KEYS_AGAIN_MS if again else KEPT_MS):
                listed = self._got(place).get("keys")
                self._keys = [*map(_key, listed if isinstance(listed, list) else [])]
                self._keys_at = now
            return [it for it in self._keys if it is not None]

    def _refuse_to_wait(self) -> None:
        if self._clock() < self._away_until:
            raise OidcAway("it did not answer a moment ago")

    def _got(self, place: str) -> dict[str, Any]:
        self._refuse_to_wait()
        try:
            return self._asked(place)
        except OidcAway:
            self._away_until = self._clock() + AWAY_MS
            raise

    def _asked(self, place: str) -> dict[str, Any]:
        with OAuth2Session(default_timeout=TIMEOUT_SECONDS) as session:
            try:
                answer = session.get(place, withhold_token=True, allow_redirects=False)
                found = answer.json() if answer.status_code == 200 else None
            except (RequestException, ValueError) as error:
                raise OidcAway(f"{place}: {type(error).__name__}") from None
        if not isinstance(found, dict):
            raise OidcAway(f"{place}: no JSON object")
        return found


def _key(listed: Any) -> Any:
    """Returns a public key; None for what is none, or not of a kind that signs here."""
    try:
        return jwk.import_key(listed) if listed["kty"] in ("RSA", "EC") else None
    except (JoseError, KeyError, TypeError, ValueError):
        return None
