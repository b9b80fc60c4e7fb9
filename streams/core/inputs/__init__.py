"""Turns records into inputs: decoding, checks, dead letters, and which word of a kind is newest.

A word is a record in which somebody says something about an account: an account change, an answer,
a control or a receipt.
"""
