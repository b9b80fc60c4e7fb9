"""A second reading of the contract: written from its text alone, to judge what Byline puts out.

`policy` a minimal YAML reader · `eligibility`, `brakes`, `inputs`, `timers`, `model` one account's
life · `fold` real readings · `records`, `wire`, `audit`, `untouchable`, `dead_letters` committed
records · `chaos_oracle` what a run under faults may show · `transactions` what it must have shown,
exactly · `given`, `sample` words for the tests of all these.
How the contract was read where it leaves a choice: READINGS.md.
"""
