"""The read API: queries on the index over HTTP, for holders of a token.

roles.py says which token may ask what, access.py logs who asked about which account, api.py
answers, openapi.py describes the API. It reads only the index, never Kafka or a worker.
"""
