"""Grafana's dashboards: declared here, written to deploy/grafana/ by `python -m` of this folder."""
