"""Hours in small: a steady stream, a worker restarted again and again, and what grows."""
