"""Backtests: what is filtered changes nothing, and what is reported is what the core did."""
