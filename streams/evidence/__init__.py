"""A file for an auditor: what ran, what was decided, and how far it can be proven.

samples.py draws decisions that nobody can choose and lets the core decide them anew, gathering.py
reads the topics and puts the file together, signing.py gives it a digest and a signature.
"""
