"""The fifteen invariants of domain section D, held against random and exhaustive histories.

`follower` and `properties` judge by inputs and outputs alone and know nothing of the core's state.
"""
