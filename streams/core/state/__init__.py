"""A partition's accounts, policies and timers as they are kept, and the one look at an account."""
