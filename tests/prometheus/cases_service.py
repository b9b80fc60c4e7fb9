"""Cases of deploy/prometheus/service.yaml."""

from tests.prometheus.rules import RuleCase

W1 = 'job="byline-worker", instance="w1"'
W2 = 'job="byline-worker", instance="w2"'
W3 = 'job="byline-worker", instance="w3"'
UP = f"up{{{W1}}}", f"up{{{W2}}}", f"up{{{W3}}}"
AGE = f'byline_newest_record_age_seconds{{{W1}, topic="controls"}}'
READ = f'byline_inputs_total{{{W1}, topic="controls"}}'
FALLS = f'byline_eligibility_changes_total{{{W1}, platform="weibo", to="OUTSIDE"}}'
RISES = f'byline_eligibility_changes_total{{{W1}, platform="weibo", to="DWELLING"}}'
C1 = 'job="byline-console", instance="c1"'
C2 = 'job="byline-console", instance="c2"'
I1 = 'job="byline-index", instance="i1"'
READ_ANSWERS = "byline_read_answers_total"
CONSOLE_SILENT = (
    "No console answers: nobody sees or does anything by its pages; byline explain, worklist and"
    " control go on"
)
BUCKETS = "byline_transaction_duration_seconds_bucket"

SERVICE = [
    RuleCase(
        "BylineWorkersMissing",
        {UP[0]: "1x60", UP[1]: "1x60", UP[2]: "1x4 0x30 1x30"},
        fires=12,
        quiet=(4, 8, 40),
        says="2 Byline workers answer, fewer than wanted: read the last log line of those that are"
        " gone",
    ),
    RuleCase(
        "BylineWorkersMissing",
        {'up{job="else"}': "1x30"},
        fires=6,
        says="0 Byline workers answer, fewer than wanted: read the last log line of those that are"
        " gone",
    ),
    RuleCase("BylineWorkersMissing", dict.fromkeys(UP, "1x30"), quiet=(20,)),
    RuleCase(
        "BylineWorkerRestarts",
        {f"process_start_time_seconds{{{W1}}}": "100x9 700x9 1300x9 1900x120"},
        fires=35,
        quiet=(25, 120),
        labels={"job": "byline-worker", "instance": "w1"},
        says="Worker w1 began 3 times in an hour: its last line of each life says which"
        " transaction or watchdog ended it",
    ),
    RuleCase(
        "BylineWorkerRestarts",
        {f"process_start_time_seconds{{{W1}}}": "100x9 700x90"},
        quiet=(20, 60),
    ),
    RuleCase(
        "BylineTransactionsSlow",
        {
            f'{BUCKETS}{{{W1}, le="1.0"}}': "0+50x30 1500+100x30",
            f'{BUCKETS}{{{W1}, le="2.5"}}': "0+100x60",
            f'{BUCKETS}{{{W1}, le="+Inf"}}': "0+100x60",
        },
        fires=20,
        quiet=(5, 50),
        labels={"job": "byline-worker"},
        says="One transaction in a hundred takes over 2.47s: look at the brokers' load and disks",
    ),
    RuleCase(
        "BylineTransactionsSlow",
        {
            f'{BUCKETS}{{{W1}, le="0.1"}}': "0+100x60",
            f'{BUCKETS}{{{W1}, le="+Inf"}}': "0+100x60",
        },
        quiet=(30,),
    ),
    RuleCase(
        "BylineKafkaAway",
        {f"byline_kafka_away_seconds{{{W1}}}": "0x4 60+60x10 0x10"},
        fires=8,
        quiet=(4, 6, 25),
        labels={"job": "byline-worker", "instance": "w1"},
        says="Kafka has not answered worker w1 for 4m 0s: look at the brokers and the way to them",
    ),
    RuleCase(
        "BylineKafkaAway", {f"byline_kafka_away_seconds{{{W1}}}": "0 30 0x20"}, quiet=(1, 5, 20)
    ),
    RuleCase(
        "BylinePartitionsNotRunning",
        {
            f'byline_partitions{{{W1}, state="running"}}': "4x60",
            f'byline_partitions{{{W1}, state="recovering"}}': "0x4 2x30 0x30",
            f'byline_partitions{{{W2}, state="recovering"}}': "0x4 1x30 0x30",
        },
        fires=25,
        quiet=(15, 50),
        labels={"state": "recovering"},
        says="3 partitions are recovering for 15 minutes: nothing about their accounts happens",
    ),
    RuleCase(
        "BylinePartitionsNotRunning",
        {f'byline_partitions{{{W1}, state="running"}}': "8x60"},
        quiet=(30,),
    ),
    RuleCase(
        "BylineClusterChanged",
        {f"byline_cluster_changed{{{W1}}}": "0x3 1x10 0x10"},
        fires=6,
        quiet=(3, 20),
        labels={"instance": "w1"},
        says="Worker w1 holds back all that is adverse, for the cluster is not as it was: byline"
        " status says why",
    ),
    RuleCase("BylineClusterChanged", {f"byline_cluster_changed{{{W1}}}": "0x20"}, quiet=(10,)),
    RuleCase(
        "BylineLag",
        {
            f'byline_topic_lag_seconds{{{W1}, topic="consent-answers"}}': "0x4 310+60x15 2x20",
            f'byline_topic_lag_seconds{{{W2}, topic="consent-answers"}}': "1x50",
        },
        fires=18,
        quiet=(12, 30),
        labels={"topic": "consent-answers"},
        says="The oldest unread record of consent-answers is 18m 10s old: add workers, or find"
        " what holds them",
    ),
    RuleCase(
        "BylineLag",
        {f'byline_topic_lag_seconds{{{W1}, topic="consent-answers"}}': "200x50"},
        quiet=(40,),
    ),
    RuleCase(
        "BylineNoProgress",
        {
            f'byline_topic_lag_records{{{W1}, topic="controls"}}': "5x60",
            f'byline_topic_position{{{W1}, topic="controls"}}': "0+9x10 90x25 100+9x30",
        },
        fires=30,
        quiet=(18, 45),
        labels={"job": "byline-worker", "instance": "w1", "topic": "controls"},
        says="Worker w1 reads nothing of controls, though 5 records wait: see byline topics"
        " blocked, then restart it",
    ),
    RuleCase(
        "BylineNoProgress",
        {
            f'byline_topic_lag_records{{{W1}, topic="controls"}}': "0x60",
            f'byline_topic_position{{{W1}, topic="controls"}}': "90x60",
        },
        quiet=(40,),
    ),
    RuleCase(
        "BylineTopicBlocked",
        {
            f'byline_blocked_topic{{{W1}, topic="controls"}}': "0x4 1x10 0x10",
            f'byline_blocked_topic{{{W2}, topic="controls"}}': "0x30",
        },
        fires=8,
        quiet=(6, 20),
        labels={"topic": "controls"},
        says="An open transaction of another producer hides records of controls, or a partition"
        " has no leader: byline topics blocked names the producer, a worker's log the partition",
    ),
    RuleCase(
        "BylineTopicBlocked",
        {f"byline_blocked_inputs{{{W1}}}": "0x4 1x10 0x10"},
        fires=8,
        quiet=(20,),
        labels={"instance": "w1"},
        says="An open transaction of another producer hides records, or a partition has no"
        " leader: byline topics blocked names the producer, a worker's log the partition",
    ),
    RuleCase(
        "BylineTopicBlocked",
        {f'byline_blocked_topic{{{W1}, topic="controls"}}': "0x4 1 0x10"},
        quiet=(5, 10),
    ),
    RuleCase(
        "BylineDeadlinesOverdue",
        {f"byline_timers_overdue_seconds{{{W1}}}": "0x4 360x15 0x20"},
        fires=12,
        quiet=(6, 30),
        labels={"instance": "w1"},
        says="The earliest deadline or other timer of worker w1 has been due for 6m 0s",
    ),
    RuleCase(
        "BylineDeadlinesOverdue",
        {f"byline_timers_overdue_seconds{{{W1}}}": "1x40"},
        quiet=(30,),
    ),
    RuleCase(
        "BylineClockAgainstBroker",
        {AGE: "0.02x4 -9x20 0.02x20", READ: "0+60x60", f"byline_lag_records{{{W1}}}": "3x60"},
        fires=12,
        quiet=(4, 30),
        labels={"instance": "w1"},
        says="The clock of worker w1 and the brokers' differ: the newest record is -9s old; check"
        " NTP on both",
    ),
    RuleCase(
        "BylineClockAgainstBroker",
        {AGE: "0.02x4 120x20 0.02x20", READ: "0+60x60", f"byline_lag_records{{{W1}}}": "3x60"},
        fires=12,
        quiet=(4, 30),
        labels={"instance": "w1"},
        says="The clock of worker w1 and the brokers' differ: the newest record is 2m 0s old; check"
        " NTP on both",
    ),
    RuleCase(  # A backlog is old as well.
        "BylineClockAgainstBroker",
        {AGE: "900x40", READ: "0+60x60", f"byline_lag_records{{{W1}}}": "50000x60"},
        quiet=(30,),
    ),
    RuleCase(
        "BylineReadingsSilent",
        {f'byline_topic_position{{{W1}, topic="follower-counts"}}': "0+9x9 90x420 100+9x60"},
        fires=410,
        quiet=(300, 440),
        says="No reading came in for six hours: ask who writes byline.follower-counts",
    ),
    RuleCase(
        "BylineReadingsSilent",
        {f'byline_topic_position{{{W1}, topic="follower-counts"}}': "0+1x500"},
        quiet=(450,),
    ),
    RuleCase(
        "BylineIndexSilent",
        {
            "byline_index_as_of_timestamp_seconds": "0+60x10 600x30 2460+60x20",
            'up{job="byline-index"}': "1x90",
        },
        fires=30,
        quiet=(10, 45),
        says="The index is not kept up: answers of byline explain, events and funnel are old;"
        " start byline index --follow",
    ),
    # It lives and never comes to the end of the topics, so that it has no such time at all.
    RuleCase(
        "BylineIndexSilent",
        {
            "byline_index_as_of_timestamp_seconds": "_x400 24000+60x100",
            'up{job="byline-index"}': "1x500",
        },
        fires=380,
        quiet=(350, 450),
        says="The index is not kept up: answers of byline explain, events and funnel are old;"
        " start byline index --follow",
    ),
    RuleCase(
        "BylineIndexSilent",
        {'up{job="byline-index"}': "1x4 0x30"},
        fires=20,
        quiet=(4, 10),
        says="The index is not kept up: answers of byline explain, events and funnel are old;"
        " start byline index --follow",
    ),
    RuleCase(
        "BylineIndexSilent",
        {
            "byline_index_as_of_timestamp_seconds": "0+60x60",
            'up{job="byline-index"}': "1x90",
        },
        quiet=(30,),
    ),
    RuleCase(
        "BylineConsoleSilent",
        {f"up{{{C1}}}": "1x60", f"up{{{C2}}}": "1x4 0x30 1x30"},
        quiet=(20, 50),
    ),
    RuleCase(
        "BylineConsoleSilent",
        {f"up{{{C1}}}": "1x4 0x30 1x30", f"up{{{C2}}}": "0x60"},
        fires=12,
        quiet=(4, 8, 40),
        says=CONSOLE_SILENT,
    ),
    # Its pods are gone, and nothing is looked at any more.
    RuleCase(
        "BylineConsoleSilent",
        {f"up{{{C1}}}": "1x20 _x400"},
        fires=40,
        quiet=(20, 395),
        says=CONSOLE_SILENT,
    ),
    # There never was one.
    RuleCase("BylineConsoleSilent", {f"up{{{W1}}}": "1x400"}, quiet=(20, 390)),
    RuleCase(
        "BylineErrorResponses",
        {
            f'byline_console_answers_total{{{C1}, route="/", status="5xx"}}': "0x9 0+2x10 20x40",
            f'byline_console_answers_total{{{C2}, route="/", status="5xx"}}': "0x60",
            f'byline_console_answers_total{{{C1}, route="/", status="2xx"}}': "0+90x60",
        },
        fires=22,
        quiet=(9, 12, 50),
        labels={"job": "byline-console"},
        says="20 answers of byline-console were errors in 15 minutes: its log says whether the"
        " database is away or a page is at fault",
    ),
    RuleCase(
        "BylineErrorResponses",
        {f'{READ_ANSWERS}{{{I1}, route="/v1/funnel", status="5xx"}}': "0x9 0+4x40 160x30"},
        fires=40,
        quiet=(9, 75),
        labels={"job": "byline-index"},
        says="60 answers of byline-index were errors in 15 minutes: its log says whether the"
        " database is away or a page is at fault",
    ),
    RuleCase(
        "BylineErrorResponses",
        {
            f'byline_console_answers_total{{{C1}, route="/", status="5xx"}}': "0x9 6x50",
            f'byline_console_answers_total{{{C1}, route="/", status="4xx"}}': "0+50x60",
            f'{READ_ANSWERS}{{{I1}, route="/v1/funnel", status="5xx"}}': "0x9 6x50",
        },
        quiet=(15, 40),
    ),
    RuleCase(
        "BylineSignInsRefused",
        {f"byline_console_refused_sign_ins_total{{{C1}}}": "0x9 0+5x10 50x40"},
        fires=20,
        quiet=(9, 13, 45),
        says="The console refused 50 sign-ins in 15 minutes: does somebody guess tokens, or has"
        " a person an old one?",
    ),
    RuleCase(
        "BylineSignInsRefused",
        {f"byline_console_refused_sign_ins_total{{{C1}}}": "0+1x90"},
        quiet=(20, 80),
    ),
    RuleCase(
        "BylineFlapping",
        {FALLS: "0+30x30 900+300x90 27900x200"},
        fires=85,
        quiet=(20, 200),
        labels={"platform": "weibo"},
        says="weibo: counts fell below a line 15k times in an hour, each one a decision: does an"
        " account flap, or do two sources of counts contradict each other?",
    ),
    RuleCase("BylineFlapping", {FALLS: "0+100x120", RISES: "0+1000x120"}, quiet=(100,)),
]
