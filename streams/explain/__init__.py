"""`byline explain`: says in sentences why an account is in its state, and what happens next.

gather.py reads the data (material.py) from the index or from Kafka; situation.py says what is so
now, timeline.py what happened, nearest.py what would change the outcome (it runs the core in
sandbox.py); cites.py finds the records that prove a sentence; en.py and zh.py have the texts.
"""
