"""An OpenID provider that says what a test tells it to, right or wrong, over HTTP."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwk, jwt

CLIENT = "byline-console"
KEY = jwk.RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
STRANGE = jwk.RSAKey.generate_key(2048, {"kid": "k1"})
SHARED = jwk.OctKey.import_key("a-key-that-both-sides-could-have")


@dataclass
class ForgedProvider:
    """`claims`: laid over those of the id token (None takes one away). `key`, `alg`: of its
    signature. `described`: laid over the description. `asked`: each path that was asked for.
    """

    now: int
    address: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: KEY)
    alg: str = "RS256"
    kid: str | None = "k1"
    token: str | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False

    def description(self) -> dict[str, Any]:
        said = {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/auth",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
        }
        return {**said, **self.described}

    def signs_in(self, address: str) -> str:
        """A person signs in at the address that the console sent him to; returns the code."""
        said = {name: it[0] for name, it in parse_qs(urlsplit(address).query).items()}
        assert said["code_challenge_method"] == "S256"
        assert said["response_type"] == "code"
        assert said["scope"] == "openid"
        code = f"code-{len(self.codes)}"
        self.codes[code] = said
        return code

    def exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        begun = self.codes.pop(form.get("code", ""), None)
        if begun is None:
            return 400, {"error": "invalid_grant", "error_description": "secret-of-provider"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if challenge != begun["code_challenge"] or form["redirect_uri"] != begun["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, {
            "access_token": "the-access-token",
            "token_type": "Bearer",
            "id_token": self.token or self.signed(begun["nonce"]),
        }

    def signed(self, nonce: str) -> str:
        claims = {
            "iss": self.address,
            "aud": CLIENT,
            "sub": "desk.7",
            "nonce": nonce,
            "iat": self.now // 1000,
            "exp": self.now // 1000 + 300,
            "email": "somebody@example.org",
            "name": "张三",
        }
        kept = {name: it for name, it in {**claims, **self.claims}.items() if it is not None}
        header = {"alg": self.alg, **({} if self.kid is None else {"kid": self.kid})}
        if self.alg == "none":
            parts = [json.dumps(it).encode() for it in (header, kept)]
            coded = [base64.urlsafe_b64encode(it).decode().rstrip("=") for it in parts]
            return ".".join([*coded, ""])
        return jwt.encode(header, kept, self.key, algorithms=[self.alg])


@contextmanager
def serving(provider: ForgedProvider) -> Iterator[ForgedProvider]:
    """The provider at an address of this machine."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            provider.asked.append(path)
            if path == "/keys":
                self._say(200, {"keys": [KEY.as_dict(private=False), {"kty": "odd"}]})
            else:
                self._say(200, provider.description())

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            said = {name: it[0] for name, it in parse_qs(body).items()}
            self._say(*provider.exchange(said))

        def _say(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(503 if provider.away else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    provider.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
