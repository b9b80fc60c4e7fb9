"""A console with an OpenID provider, and browsers that come to it from elsewhere."""

from dataclasses import replace
from typing import Any

from starlette.testclient import TestClient

from streams.console.app import make_app
from streams.console.oidc import OidcProvider
from streams.serve.roles import Who, held, oidc_key
from tests.console.forging import CLIENT
from tests.console.given import ConsoleGround

ADDRESS = "https://console.example.org"


def with_provider(ground: ConsoleGround, issuer: str, **more: Any) -> ConsoleGround:
    """The ground's console with this provider; `desk.7` is an operator."""
    said = {
        "console_address": ADDRESS,
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        **more,
    }
    settings = ground.console.settings.model_copy(update=said)
    provider = OidcProvider(settings, lambda: ground.now, ground.console.key)
    ground.console = replace(ground.console, settings=settings, oidc=provider)
    ground.app = make_app(ground.console)
    ground.roles[oidc_key("desk.7")] = Who("desk.7", held(["operator"]))
    return ground


def far_browser(ground: ConsoleGround) -> TestClient:
    """A browser of another machine, at the console's address."""
    return TestClient(ground.app, ADDRESS, client=("203.0.113.9", 50_000), follow_redirects=False)


def begun(browser: TestClient, target: str = "/") -> str:
    """The address to which the console sends a browser that begins."""
    there = browser.get("/sign-in/provider", params={"next": target})
    assert there.status_code == 303, there.text
    return there.headers["location"]


def nobody_is_in(browser: TestClient) -> bool:
    return browser.get("/").status_code == 303
