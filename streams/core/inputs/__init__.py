"""From bytes to inputs: decoding, checks, dead letters, and which word of a kind is the newest."""
