"""Packages that only some commands need: the extras of `pyproject.toml`."""


def to_install(extra: str) -> str:
    """Returns the command that installs an extra, from Byline's folder; no package index has it."""
    return f"pip install '.[{extra}]', in the folder of Byline's pyproject.toml, brings it"
