"""The nouns: an account's state, a policy, ids, instants, and the ports to the surroundings."""
