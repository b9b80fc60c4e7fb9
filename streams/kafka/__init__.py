"""Access to Kafka beyond aiokafka: robust reading, checks of logins and rights, more requests.

codecs.py limits the size of a decompressed batch, batches.py reads a batch whatever its headers
hold, stretches.py takes fetched records from aiokafka, consumer.py is the consumer that all of
Byline uses. greeting.py and login.py find faults of an address or a login; rights.py finds missing
rights; configs.py sets topic settings; requests/ holds requests that aiokafka lacks.
"""
