"""Exactly-once processing on Faust and aiokafka. It knows Kafka, and no rule of the domain.

Design: DESIGN.md. The modules, in the order of imports; each imports only modules of lower lines
(`lint-imports` checks it):

    faust_app         the Faust app around the engine, and its run
    transport         Faust's consumer: whole polls from the consumer's thread, rebalances
    worker            the engine of one process: starts and stops the parts below
    reach_watch       checks that each input can be read to its end
    watchdog          finds stalls that raise no error
    assignment        the partition numbers of this worker, and rebalances
    partition_task    the task of one partition number: step, commit, run timers
    restore           opens a partition: fence, recover, checkpoint, processor
    membership        static membership of the group
    refetch           a gap between two batches: one seek back
    timer_rounds      when timers may act
    context           what the parts share, as one frozen value
    input_queue       what a partition has read, and what is queued
    broadcast         the topic that every partition reads whole
    high_watermarks   the ends of the inputs, for timers
    acceptance        accepts topics that were deleted and created again
    fencing           no worker writes while a command changes the state
    recovery          restores state from the changelogs
    observer          what the engine reports
    cluster_watch     checks that the cluster is the one of the start
    transaction       the pending writes of a transaction, and their commit
    fetching, fetch_queues, lag           from the consumer to the queues; consumer lag
    commit_policy, continuity, preflight  when to commit; whether state fits; checks at the start
    stores, disk_reading, disk_faults     the tables on disk
    producer, sender                      the transactional producer and its requests
    checkpoint, notes                     how far a partition has been read
    process_exit                          ends the process on an error
    processor                             the interface of the code that the engine runs
    assignor, clock, config, failpoints, libraries, library_log, rights

Words: a *partition number* stands for the partitions with this number of all co-partitioned topics;
a *processor* is the application's code; an event is *adverse* or *favourable* to an account's owner
(streams/core). A worker ends with the exit code of a `streams.stop_worker.StopWorker` if the cause
is known, else with 70.
"""
