"""The read API: the questions that the index answers, over HTTP, for those who may ask.

roles.py says who may ask what, access.py writes down who asked about whom, api.py answers, and
openapi.py describes it. It reads the index alone: neither Kafka nor the workers know of it.
"""
