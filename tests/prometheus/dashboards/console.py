"""The dashboard *console*: do people and programs that ask get answers, and what do they order?"""

from tests.prometheus.dashboards.panel import Board, Panel

JOB = 'job="byline-console"'
SERVED, READ = "byline_console_answers_total", "byline_read_answers_total"
SENT = "byline_console_orders_total"

CONSOLE = Board(
    "console",
    "The console, the read API, and the index on which both stand: answers, errors, orders.",
    {
        "Console": [
            Panel(
                "Consoles",
                "short",
                {
                    "up": f"sum(up{{{JOB}}})",
                    "starts in an hour": f"sum(changes(process_start_time_seconds{{{JOB}}}[1h]))",
                },
                "Alert: BylineConsoleSilent.",
            ),
            Panel(
                "Answers of the console",
                "cps",
                {"{{status}}": f"sum by (status) (rate({SERVED}[$__rate_interval]))"},
                "Pages and what belongs to them a second, by the first digit of the status.",
            ),
            Panel(
                "Errors of the console",
                "short",
                {
                    "all": f'sum(increase({SERVED}{{status="5xx"}}[1h]))',
                    "{{route}}": f'sum by (route) (increase({SERVED}{{status="5xx"}}[1h])) > 0',
                },
                "Answers of an hour that were errors, by page. Alert: BylineErrorResponses.",
            ),
            Panel(
                "Sign-ins refused",
                "short",
                {"refused": "sum(increase(byline_console_refused_sign_ins_total[15m]))"},
                "Of 15 minutes. Alert: BylineSignInsRefused.",
            ),
            Panel(
                "Sent from the console",
                "short",
                {
                    "all": f"sum(increase({SENT}[1d]))",
                    "{{word}}": f"sum by (word) (increase({SENT}[1d])) > 0",
                },
                "Controls, switches and settled dead letters of a day, a record each.",
            ),
        ],
        "Read API and index": [
            Panel(
                "Answers of the read API",
                "cps",
                {"{{status}}": f"sum by (status) (rate({READ}[$__rate_interval]))"},
                "Answers a second, by the first digit of the status.",
            ),
            Panel(
                "Errors of the read API",
                "short",
                {"{{route}}": f'sum by (route) (increase({READ}{{status="5xx"}}[1h]))'},
                "Answers of an hour that were errors, by route. Alert: BylineErrorResponses.",
            ),
            Panel(
                "What the index has still to read",
                "short",
                {"{{instance}}": "max by (instance) (byline_index_behind_records)"},
                "Records. How old answers are stands on *service*. Alert: BylineIndexSilent.",
            ),
        ],
    },
)
