"""What defers adverse events: switches, caps, guards, refused inputs, a changed cluster."""
