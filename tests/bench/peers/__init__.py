"""The same job written with other tools; each is a process of its own, told by its environment.

BOOTSTRAP, APPLICATION, FOLLOWERS, CATEGORIES, INVITATIONS, PARTITIONS, STATE_DIR. The job: invite
each account with a covered label once when it has a million followers. It knows nothing of windows,
answers, caps, refusals or a decision log, which Byline does beside it.
"""
