"""A person's choice of language, theme and time zone, which a separate cookie keeps."""

from typing import NamedTuple

from starlette.requests import Request

from streams.console.zones import DEFAULT_ZONE, ZONES
from streams.explain.sentences import Language

COOKIE = "byline_view"
THEMES = ("auto", "light", "dark")
YEAR_SECONDS = 365 * 86_400


class PageView(NamedTuple):
    """Language, theme and zone, each of a closed list."""

    language: Language = "en"
    theme: str = "auto"
    zone: str = DEFAULT_ZONE

    def cookie(self) -> str:
        """Returns the view as the text of a cookie."""
        return f"{self.language}.{self.theme}.{self.zone.replace('/', ':')}"


def view_of(request: Request) -> PageView:
    """Returns the view that a browser asks for; what is not on a list is the default."""
    words = request.cookies.get(COOKIE, "").split(".")
    if len(words) == 3:
        return chosen(words[0], words[1], words[2].replace(":", "/"))
    wanted = request.headers.get("accept-language", "").lower()
    return PageView(language="zh" if wanted.startswith("zh") else "en")


def chosen(language: str, theme: str, zone: str) -> PageView:
    """Returns the view of these choices; what is not on a list is the default."""
    return PageView(
        "zh" if language == "zh" else "en",
        theme if theme in THEMES else "auto",
        zone if zone in ZONES else DEFAULT_ZONE,
    )
