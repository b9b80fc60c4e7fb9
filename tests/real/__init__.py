"""Real follower counts through the core, with the clock of the readings themselves."""
