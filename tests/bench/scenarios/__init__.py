"""What is measured: a module a question, each with a `run` that yields its runs."""
