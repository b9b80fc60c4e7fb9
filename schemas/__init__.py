"""The wire: the records that Byline reads from and writes to Kafka.

schemas/CONTRACT.md says what each part means.

`words` closed vocabularies · `inputs` the seven inputs · `events` the three output streams ·
`statement` the statement of reasons · `records` decisions, policies, dead letters · `topics` every
topic with its key, cleanup, retention and size · `export` JSON Schema and AsyncAPI.

Models are built when the first record is read with them (`defer_build`): a worker reads none so.
"""
