"""The index: a copy of the topics in a relational database, and the queries on it.

tables.py has the tables, projection.py turns a record into rows, writer.py writes rows and Kafka's
positions in one transaction of the database, feed.py and follow.py read Kafka, leader.py lets only
one indexer write, schema.py and migrations/ make the tables, retention.py deletes old rows.

All rows are made from Kafka's records, except those of the tables in `tables.OWN`, which a rebuild
never touches.

Words used in these files: a word is a record in which an owner, an operator or the notifier states
something (every input but readings and labels); a letter is a dead letter; a cycle is one
invitation and all that follows from it; an account comes inside when it begins to meet the rule.
"""
