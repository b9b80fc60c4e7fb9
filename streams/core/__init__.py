"""The pure core: decides what an input or the time means for an account. No clock, chance or I/O.

`partition` applies inputs and timers to one partition · `lifecycle` lists every state and
transition.

The sub-packages, each importing only those after it: `state` accounts, policies in use, the
schedule of timers, the evaluation of an account · `log` the decision log with its hash chain, and
the encoding of events · `rules` the conditions and effects of transitions · `limits` switches,
caps, guards, deferrals because of refused inputs · `inputs` decoding and checks of records ·
`model` account, policy, time.

Words used in all of them (schemas/CONTRACT.md, "Words", has more): a *reading* is one follower
count; a *line* is the follower number of a phase; the *floor* is the lowest line times the exit
ratio, below which no count is kept; a *cycle* is one invitation and all that follows from it; a
*life* holds the cycles of one mode, live or shadow; a *word* is a record in which a person or a
system says something about an account (account change, receipt, answer, control); the *entry* of a
record is when it was appended to Kafka.

LIFECYCLE.md explains how the parts work together. CHOICES.md explains what Byline does where the
contract leaves a choice.
"""
