"""Packages that only some commands need: the extras of `pyproject.toml`."""


def to_install(extra: str) -> str:
    """How to install an extra. Byline is on no package index: it is installed from its folder."""
    return f"pip install '.[{extra}]', in the folder of Byline's pyproject.toml, brings it"
