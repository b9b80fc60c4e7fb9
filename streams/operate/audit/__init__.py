"""The independent auditor: it reads only the topics and shares no code with the core.

Records: `records` defines its input and its output, breaches · `rules` lists the breaches · `odd`
parses any bytes · `replay_order` and `happened` put a partition's records in the order in which
they took effect · `reading` reads Kafka, `run_audit` feeds the auditor with it · `chain` checks the
hash chain, `head` its anchors.
State: `account_state` of an account · `partition` of a partition · `terms` of a policy · `words`
decides which record is the newest of its kind · `switch_log` and `switches` · `guard` the refusal
guard · `unclear` records that defer adverse events.
Inputs: `inputs` applies each one · `refusals` decides whether it is refused · `apply_inputs`,
`controls`, `receipts`, `facts` by kind · `dues` events that must follow in the same transaction,
`overdue` events that must follow within some time · `first_edition` and `intake` for logs of the
contract's first edition.
Checks: `event_checks`, `doubts`, `invitations`, `consents`, `throttles`, `caps` of events,
`logbook` of the decision log · `judging` and `auditor` run them all · `service` has the metrics.

Words used in all these files:

* word: a record in which an owner, an operator or the notifier states something at a stated time
  (an answer, an account change, a control, a switch, a receipt);
* entry: the instant at which a record came into Kafka (`Record.entered_at`);
* log: the topic of decisions;
* place: where a record lies, written `throttles[3]@17`;
* present terms: the policy that the partition works under now, as opposed to those pinned at issue;
* settle: a `settle` control ends an unclear word, a `refusals_settled` switch resets the guard.

Of Byline's own code it imports `schemas` and the reader of Kafka alone; import-linter enforces it.
"""
