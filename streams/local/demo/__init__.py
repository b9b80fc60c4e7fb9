"""`byline demo`: a scripted day on seven platforms, through a real Kafka and the shipped worker.

A *storyline* is the script of one account; a *day* is all of them, in about half a minute.

`stories.yaml`, `day.yaml` the day as data · `script` what they may say · `day` the whole day by
seed · `policies` the policies with short durations · `actors` notifier, owners and operators ·
`checks` the checks afterwards · `tally`, `display`, `closing` the output · `stage` the processes ·
`perform` the whole run.
"""
