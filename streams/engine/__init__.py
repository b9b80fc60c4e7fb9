"""Exactly once on Faust and aiokafka; knows Kafka, and nothing of invitations. Design: DESIGN.md.

A map, in the order of imports; each line knows only what stands below it (a contract of
`lint-imports`):

    faust_app         the Faust app around the engine, and running it
    transport         Faust's consumer: whole polls from the consumer's thread, rebalances
    worker            the engine of one process: starts and stops all that follows
    reach_watch       can each input be read to its end?
    watchdog          what would stall in silence
    assignment        which partition numbers are ours, and what a rebalance does to them
    partition_task    the task of one partition number: step, commit, run timers
    restore           opening a partition: fence, recover, checkpoint, processor
    membership        being a static member of the group
    refetch           a gap between two batches: one seek back
    timer_rounds      when timers may act
    context           what all of these share, as one frozen value
    input_queue       what a partition has read and what waits
    broadcast         the topic that every partition reads whole
    high_watermarks   where the inputs end: timers wait for it
    acceptance        taking a changed topic for the one that it was
    recovery          reading the changelogs back
    observer          what is reported
    cluster_watch     is it still the cluster of the start?
    transaction       one batch, one transaction: the pending writes, and their commit
    fetching, fetch_queues, lag           from the consumer to the queues; how far behind
    commit_policy, continuity, preflight  when to commit; does the state fit; before the start
    stores, disk_reading, disk_faults     the tables on disk
    producer, sender                      what is sent for a transaction
    checkpoint, notes                     how far a partition has been read
    process_exit                          the one way out
    processor                             what the engine asks of the code it runs
    assignor, clock, config, failpoints, libraries, library_log, rights

A worker ends with `streams.stop_worker.StopWorker` where its reason is known, with 70 for all else.
"""
