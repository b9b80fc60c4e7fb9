"""The pure core: what an input or an instant means for an account. No clock, no chance, no I/O.

`partition` one step over the inputs of a partition · `lifecycle` every state and transition.

The rooms, each importing only those after it: `state` accounts, policies taken up, the schedule,
the evaluation of an account · `log` decisions, their chain, events as they go out · `rules` all
conditions of a transition, and its effect without conditions · `limits` switches, caps, guards,
what waits because of refusals · `inputs` bytes to inputs or refusals · `model` account, policy,
instants.

LIFECYCLE.md tells how they work together; CHOICES.md what Byline does where the rules leave a
choice.
"""
