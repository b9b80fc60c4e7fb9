"""The pure core: what an input or an instant means for an account. No clock, no chance, no I/O.

`lifecycle` every state and transition · `account` state · `policy` the rule · `standing`
conditions · `decide` and its parts `eligibility`, `invitation`, `throttle` all conditions of a
transition · `evolve` its effect, without conditions · `agenda` what is due when · `clock`
deadlines that stop · `switches`, `caps`, `guards` what defers · `events`, `statement`, `ids`,
`chain` what goes out · `decode` bytes to inputs or refusals · `checker`, `checks`, `plain` whether
an input may come in · `intake` what becomes of it · `refusal_guard`, `refusals`, `settling` what
waits because of what was refused · `partition` one step over the inputs of a partition.
"""
