"""The index: topics projected into a relational database, and the questions that it answers.

tables.py says what is kept, projection.py what a record becomes, writer.py how rows and positions
are one transaction of the database, feed.py and follow.py how Kafka is read, leader.py who may
write, schema.py and migrations/ how the tables come to be, retention.py what goes again.

Rows come from Kafka alone, but for the tables in `tables.OWN`: a rebuild never touches those.
"""
