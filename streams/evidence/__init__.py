"""Makes an evidence file for an auditor: policies, decisions, and how far they can be proven.

samples.py draws random decisions and lets the core decide them again, gathering.py reads the topics
and assembles the file, signing.py adds a digest and a signature.
"""
