"""A second reading of the contract: written from its text alone, to judge what Byline puts out.

`policy` a minimal YAML reader · `eligibility`, `brakes`, `model` one account's life ·
`fold` real readings · `wire` the outputs as records · `chaos_oracle` what a run must have shown.
How the contract was read where it leaves a choice: READINGS.md.
"""
