"""The console: pages on the index for people who decide over restrictions.

routes.py is the table of all routes, each with the role that it needs; app.py checks every request
against it, then calls a page of `pages/`. sessions.py, peers.py and attempts.py are about who asks;
words.py, zones.py, view.py and charts.py about how it looks; actions.py and proposals.py about
what a person may do. It asks the same query functions as the read API and the commands, and what it
sends is made and sent by the functions of `streams.operate`. It keeps no name, e-mail address or
display name, and no request leaves the host: htmx is in `static/`, with its licence and its hash.
"""
