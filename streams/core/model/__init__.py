"""The data types: an account's state, a policy, ids, instants, and the protocols of the caller."""
