"""What holds adverse events back: switches, caps, guards, refused inputs, a changed cluster."""
