"""From bytes to inputs: decoding, checks, dead letters, which word of a kind is the newest."""
