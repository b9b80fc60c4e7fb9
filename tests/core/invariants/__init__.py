"""The fifteen safety invariants, held against random and exhaustive histories.

streams/operate/audit/INVARIANTS.md says what each promises.

`follower` and `properties` judge by inputs and outputs alone and know nothing of the core's state.
"""
