"""Rules, alerts, runbook and dashboards: each alert has a case that fires and one that does not."""
