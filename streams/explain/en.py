"""The sentences of an explanation in English. `zh.py` has the same keys, which a test checks."""

from streams.operate.statements.words import ENGLISH

TEXTS = {
    "unknown": "Nothing is kept of {account}: it is below the floor, or nothing was read of it.",
    "unknown_part": "The index has nothing of {account} yet: it has not yet read all topics.",
    "unknown_late": "The index had nothing of {account} at {as_of}; what came since is not in it.",
    "unknown_unreadable": "Whether anything is kept of {account} is not known: what was written"
    " cannot be read.",
    "remains": "The account was closed. What may not be forgotten is kept under a digest.",
    "no_policy": "The text of the policy of {platform} is not in the topic of policies.",
    "no_count": "No follower count of it is remembered.",
    "count": "It had {followers} followers on {at}.",
    "label_none": "It has no label.",
    "label_contradictory": "Two labels of {at} contradict each other: neither counts.",
    "label_unknown": "Its label of {at} is not in the policy's map; its text is not kept.",
    "label_over": "Its label {label} ended on {at}.",
    "label_uncovered": "Its label {label} means no field that the policy covers.",
    "label_covered": "Its label {label} means the field {field}, which is covered.",
    "exempt": "It is exempt.",
    "outside": "It is outside the rule: {why}.",
    "outside_below": "It is outside the rule: its count is below the line of {line}.",
    "dwelling": (
        "It has met all conditions of the line {line} ({phase}) since {since}; the dwell ends on"
        " {ends}."
    ),
    "inside": "It falls under the rule: it is over the line {line} ({phase}).",
    "leaving": (
        "It fell below the exit line {exit} on {since}; unless a count is not below it before"
        " {ends}, it leaves."
    ),
    "cool_down": "No new invitation before {until}: the cool-down of the last one.",
    "life.NONE": "No invitation is open, no consent is in force, nothing is restricted.",
    "life.INVITED": "Invitation {number} ({mode}) went out on {issued}; no word of its delivery.",
    "life.UNDELIVERED": "The notice of invitation {number} ({mode}) failed on {failed}.",
    "life.DELIVERED": (
        "Invitation {number} ({mode}) was delivered on {delivered}; its owner was told {deadline}"
        " as the deadline and has not answered."
    ),
    "life.DECLINED": (
        "The owner refused invitation {number} ({mode}) on {answered}; the deadline stays"
        " {deadline}."
    ),
    "life.EXPIRED": "Invitation {number} ({mode}) expired: its deadline was {deadline}.",
    "life.GRANTED": "The owner agreed on {answered}: the consent is in force ({mode}).",
    "spared": "A person spared this invitation: it never restricts again.",
    "unrestricted": "Nothing is restricted.",
    "restricted": "{surface}: {level} ({mode}) since {since}, until {until} at the latest.",
    "waits_receipt": "It waits for the notifier's receipt, without limit; nothing follows before.",
    "waits_people": "It waits for a person: `byline control reissue` sends the notice again.",
    "reissue_waits": (
        "An operator asked for the notice again: it is sent if the delivered one turns out to be"
        " undelivered."
    ),
    "extend_waits": (
        "An operator's extension to {until} came after the deadline: it counts if the notice turns"
        " out to be undelivered."
    ),
    "no_deadline": "It has no deadline: the policy names no answer window.",
    "clock_runs": "The clock of the answer runs: {left} are left until {deadline}.",
    "clock_stopped": (
        "The clock of the answer has stood still since {since} because of {by}; {left} are left"
        " when it goes on."
    ),
    "timer.hold-expires": "The hold ends by itself on {at}, in {left}.",
    "timer.label-expires": "The label ends on {at}, in {left}.",
    "timer.phase-starts": "A phase begins on {at}, in {left}.",
    "timer.leave-over": "It has left on {at}, in {left}.",
    "timer.dwell-over": "The dwell is over on {at}, in {left}.",
    "timer.throttle-expires": "{surface} is free on {at}, in {left}, whatever happens.",
    "timer.cycle-expires": "The expired invitation ends on {at}, in {left}.",
    "timer.review-due": "{surface} is reviewed on {at}, in {left}.",
    "timer.deadline": "Its deadline acts on {at}, in {left}.",
    "timer.reissue": "The notice goes out again at once.",
    "timer.reminder": "A reminder is due on {at}, in {left}.",
    "timer.issue": "An invitation may go out on {at}, in {left}.",
    "due_but": "{event} is due and waits for {by}.",
    "waits_nothing": "It waits for nothing.",
    "ground.adverse_off": (
        "adverse_off: an operator ends it with `byline switch adverse-off off --scope` …"
    ),
    "ground.invitations_off": (
        "invitations_off: an operator ends it with `byline switch invitations-off off --scope` …"
    ),
    "ground.throttles_off": (
        "throttles_off: an operator ends it with `byline switch throttles-off off --scope` …"
    ),
    "ground.answers_paused": (
        "answers_paused: an operator ends it with `byline switch answers-paused off --scope` …"
    ),
    "ground.refusals": (
        "refusals: inputs of {platform} were refused. When their dead letters are seen to, `byline"
        " switch refusals-settled on --scope {platform}` ends it."
    ),
    "ground.cluster_changed": (
        "cluster_changed: the cluster changed under the worker. Its next start ends it, once what"
        " its log names is mended."
    ),
    "ground.hold": "hold: an operator ends it with `byline control unhold {account}`.",
    "ground.appeal": (
        "appeal: a verdict ends it, `byline control appeal-rejected` or `appeal-upheld {account}`."
    ),
    "ground.appeal_upheld": (
        "appeal_upheld: no new invitation until the owner changes, or an operator says `byline"
        " control unhold {account} --reason appeal`."
    ),
    "ground.unclear_answer": (
        "unclear_answer: a word that nobody understands. A clear one ends it, or `byline control"
        " settle {account}` of a person who has looked."
    ),
    "ground.leaving": "leaving: it is below the exit line; a count that is not ends it.",
    "ground.stale": "stale: its count is older than the policy allows; a fresh one ends it.",
    "ground.guard": "guard: a guard of {platform} is tripped; it opens by itself after its window.",
    "ground.cap": "cap: the partition's share of the cap is used up; the next window ends it.",
    "terms_ground": (
        "Pinned at its issue: phase {phase}, line {line}, field {field} ({source}), policy version"
        " {version} ({digest}…)."
    ),
    "terms_notice": "Notice {notice} version {version}, {window} to answer.",
    "terms_no_window": "Notice {notice} version {version}, no answer window.",
    "terms_exit": "It leaves below {exit} followers for {leave} (the milder of then and now).",
    "terms_surfaces": "At stake: {surfaces}; what restricts: {on}; for {ends} at most.",
    "terms_none": "No surface is at stake.",
    "without": "Without a change, on {at}: {what}.",
    "without_nothing": "Without a change nothing happens.",
    "change.more_followers": "With {by} more followers, and no fewer until then: {what}, on {at}.",
    "change.fewer_followers": "With {by} fewer followers, and no more until then: {what}, on {at}.",
    "change.label": "With a covered label, such as {label}: {what}, on {at}.",
    "change.no_label": "With a label that the policy exempts: {what}, on {at}.",
    "change.grant": "With a grant: {what}.",
    "change.grant_until": "With a grant that enters by {until}: {what}.",
    "change.withdraw": "With a withdrawal: {what}.",
    "change.exemption_ends": "With the end of its exemption: {what}, on {at}.",
    "change_to_nothing.more_followers": "With {by} more followers: nothing happens.",
    "change_to_nothing.fewer_followers": "With {by} fewer followers: nothing happens.",
    "change_to_nothing.label": "With a covered label, such as {label}: nothing happens.",
    "change_to_nothing.no_label": "With a label that the policy exempts: nothing happens.",
    "change_to_nothing.grant": "With a grant: nothing happens.",
    "change_to_nothing.grant_until": "With a grant that enters by {until}: nothing happens.",
    "change_to_nothing.withdraw": "With a withdrawal: nothing happens.",
    "change_to_nothing.exemption_ends": "With the end of its exemption: nothing happens.",
    "nearest_none": "No single change of count, label or answer alters that.",
    "nearest_unknown": "What would alter it cannot be said: its state or its policy is not known.",
    "event": "Event {sequence} ({mode}): {event}; reason: {reason}.",
    "event_surface": "Event {sequence} ({mode}): {event}, {surface}; reason: {reason}.",
    "taken": "{machine}: {before} → {after} ({input}).",
    "taken_same": "{machine}: still {before} ({input}).",
    "put_off": "{event} is put off: {by}.",
    "ignored": "It changed nothing: {why}.",
    "said": "{topic} says: {word}.",
    "said_by": "{topic} ({actor}) says: {word}.",
    "refused": "A record of {topic} was refused: {reason}.",
    "refused_field": "A record of {topic} was refused: {reason} ({field}).",
    "ack": "{system} says of a throttle event: {outcome}.",
    "obeyed": "{system} had {outcome} {event} of {surface} after {after}.",
    "unobeyed": "No enforcing system has acknowledged {event} of {surface} since {at}.",
    "from_index": "From the index, as of {as_of}; {behind} records behind.",
    "from_index_late": "From the index, which is old: as of {as_of}, {behind} records behind then."
    " What came since is missing; `--kafka` reads the topics.",
    "from_index_unread": "From the index, which has not yet read all topics: {read} records of"
    " {all} are read.",
    "from_kafka": "From the topics themselves, as of {as_of}: no index was asked.",
    "from_kafka_unreadable": "From the topics themselves, as of {as_of}: no index was asked."
    " Records of state that no worker of this version wrote, and nobody can read: {count}. What is"
    " said of now may be older, or missing.",
    "not_whole": "The topics could not be read to their ends: {behind} records are missing.",
}

HEADINGS = {
    "now": "Now",
    "waits": "What it waits for",
    "deferrals": "What holds it back, and who can end that",
    "terms": "What was promised",
    "nearest": "What would alter it",
    "timeline": "What happened",
}

WORDS = {
    "d": "d",
    "h": "h",
    "min": "min",
    "s": "s",
    "mode.enforce": "live",
    "mode.shadow": "shadow",
    "why.closed": "it is closed",
    "why.exempted": "it is exempt",
    "why.policy": "no phase of the policy is in force for it",
    "why.label": "its label is not covered",
    "ignored.recorded": "it is recorded only",
    "ignored.duplicate": "it was said before",
    "ignored.stale": "it is older than what counts",
    "ignored.no_cycle": "no invitation is open",
    "ignored.other_cycle": "it names another invitation",
    "ignored.other_notice": "it names another notice",
    "ignored.before_issue": "it is from before the issue",
    "ignored.before_delivery": "it is from before the delivery",
    "ignored.no_until": "it names no date",
    "ignored.not_later": "its date is not later",
    "ignored.other_appeal": "it is about another appeal",
    "ignored.waits": "it waits until it can act",
    "ignored.unclear": "it is unclear, and holds back what is adverse",
    "ignored.untracked": "nothing is kept of the account",
    "on.declined": "a refusal",
    "on.no_answer": "silence",
    "invitation.issued": "an invitation is issued",
    "invitation.delivered": "the notice is delivered",
    "invitation.undeliverable": "the notice cannot be delivered",
    "invitation.reminded": "a reminder goes out",
    "invitation.extended": "the deadline moves later",
    "invitation.expired": "the invitation expires",
    "invitation.cancelled": "the invitation is cancelled",
    "consent.granted": "the consent is in force",
    "consent.declined": "the owner refuses",
    "consent.withdrawn": "the consent is withdrawn",
    "consent.voided": "the consent is void",
    "throttle.applied": "a restriction begins",
    "throttle.renewed": "a restriction goes on after its review",
    "throttle.lifted": "a restriction ends",
    **{f"level.{key}": word for key, word in ENGLISH["level"].items()},
    **{f"source.{key}": word for key, word in ENGLISH["source"].items()},
    **ENGLISH["field"],
}
