"""Applies a change to an account. It has no condition of the domain."""

from schemas.enums import Surface
from streams.core.model.account import Account, Throttled
from streams.core.model.change import RowChange


def evolve(account: Account, change: RowChange) -> None:
    """Sets the fields that a change names on the account, its life, its cycle and its surfaces."""
    life = account.life(change.life_mode)
    for name, value in change.account.items():
        setattr(account, name, value)
    for name, value in change.life.items():
        setattr(life, name, value)
    for name, value in change.cycle.items():
        setattr(life.cycle, name, value)
    if change.machine == "throttle" and life.cycle is not None and change.surface is not None:
        _evolve_surface(life.cycle.throttles, change.surface, change.throttle)


def _evolve_surface(
    throttles: dict[Surface, Throttled], surface: Surface, throttled: Throttled | None
) -> None:
    if throttled is None:
        throttles.pop(surface, None)
    else:
        throttles[surface] = throttled
