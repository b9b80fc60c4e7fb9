"""The wire: what goes in and what comes out. schemas/CONTRACT.md says what each part means.

`words` closed vocabularies · `inputs` the seven inputs · `events` the three output streams ·
`statement` the statement of reasons · `records` decisions, policies, dead letters · `topics` every
topic with its key, cleanup, retention and size · `export` JSON Schema and AsyncAPI.
"""
