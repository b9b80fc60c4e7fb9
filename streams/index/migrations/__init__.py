"""The migrations of the schema: one file for each revision, run in order by Alembic."""
