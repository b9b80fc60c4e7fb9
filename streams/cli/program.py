"""All commands there are, as one program.

A worker does without them: what reads the index brings the client of a database along, which would
take a fifth of a worker's memory for nothing.
"""

from streams.cli import (
    audit,
    backtest,
    cluster,
    control,
    dead_letters,
    doctor,
    events,
    evidence,
    explain,
    funnel,
    index,
    kafka,
    people,
    policy,
    policy_diff,
    policy_explain,
    policy_history,
    policy_test,
    propagation,
    report,
    rollout,
    run,
    send,
    status,
    switch,
    topics,
)
from streams.cli.bare import bare_program

app = bare_program()
run.register(app)
send.register(app)
audit.register(app)
backtest.register(app)
people.register(app)
index.register(app)
explain.register(app)
events.register(app)
funnel.register(app)
report.register(app)
evidence.register(app)
propagation.register(app)
status.register(app)
doctor.register(app)
policy_history.register(policy.app)
policy_diff.register(policy.app)
policy_explain.register(policy.app)
policy_test.register(policy.app)
app.add_typer(topics.app, name="topics")
app.add_typer(cluster.app, name="cluster")
app.add_typer(policy.app, name="policy")
app.add_typer(control.app, name="control")
app.add_typer(switch.app, name="switch")
app.add_typer(rollout.app, name="rollout")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(kafka.app, name="kafka")
