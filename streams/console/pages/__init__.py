"""The pages: each function makes the answer of one route of `streams.console.routes`."""
