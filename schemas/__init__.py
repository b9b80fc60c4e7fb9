"""The wire: what goes in and what comes out, as contract sections 1 to 4 fix it.

`words` closed vocabularies · `inputs` the seven inputs · `events` the three output streams ·
`statement` the statement of reasons · `records` decisions, policies, dead letters ·
`topics` every topic with its key, cleanup, retention and size · `export` JSON Schema and AsyncAPI.
"""
