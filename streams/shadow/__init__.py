"""Shadow before it becomes live: what it said, what `enforce` would do. Nothing here acts."""
