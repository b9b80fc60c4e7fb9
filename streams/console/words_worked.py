"""The texts of reports that take long or are kept: shadow, roll-out, backtests, evidence."""

WORDS: dict[str, tuple[str, str]] = {
    "tabs.versions": ("Versions", "版本"),
    "tabs.shadow": ("Shadow report", "影子报告"),
    "tabs.rollout": ("Roll-out", "放量状态"),
    "tabs.backtests": ("Backtests", "回测"),
    "work.go": ("Work it out now", "立即计算"),
    "work.load": ("Load this page again", "重新加载本页"),
    "work.working": (
        "{actor} asked for it {ago} ago; it is being worked out.",
        "{actor} 于 {ago}前提出，正在计算。",
    ),
    "work.failed": (
        "What was asked for at {at} could not be worked out. Mend what is said below, then ask"
        " again.",
        "{at} 提出的计算失败。请按下文排除原因后重试。",
    ),
    "work.lost": (
        "Whoever worked it out has given no sign since {at}: that console ended, or lost the"
        " database. Ask again.",
        "自 {at} 起计算方没有音讯：该控制台已结束或与数据库断开。请重新计算。",
    ),
    "work.done": ("{actor} asked for it {ago} ago, at {at}.", "{actor} 于 {at}（{ago}前）提出。"),
    "work.as_of": ("It is of the index as of {at}.", "所依据的索引截至 {at}。"),
    "work.part": (
        "The index had not read all topics then: it is part.",
        "当时索引尚未读完所有主题，结果并不完整。",
    ),
    "shadow.hint": (
        "What shadow said, beside what is live, and what would follow if the platform were switched"
        " to enforce: every notice arrives, nobody answers, counts stay. Nothing is sent. It takes"
        " about a second for each 1,500 accounts that would be invited.",
        "影子模式的输出与正式输出对照，以及若切换到正式模式会怎样（假设通知全部送达、无人答复、"
        "数据不变）。不会发送任何内容。每 1,500 个将受邀账号约需一秒。",
    ),
    "shadow.beside": ("Beside the backtest", "与回测对照"),
    "shadow.none": (
        "Nobody has asked for it yet: press the button. `byline shadow report` says the same.",
        "尚无结果，请按上方按钮。`byline shadow report` 内容相同。",
    ),
    "shadow.empty": (
        "Nothing is in shadow, and shadow said nothing.",
        "没有处于影子模式的策略，也没有影子输出。",
    ),
    "shadow.of.file": ("Of the file beside this console.", "依据本机文件中的策略。"),
    "shadow.of.running": ("Of the policy that runs.", "依据正在运行的策略。"),
    "shadow.nothing": (
        "Nothing of {platform} is in shadow: there is nothing to switch.",
        "{platform} 没有处于影子模式的内容，无需切换。",
    ),
    "shadow.refused": (
        "{platform} cannot be switched to enforce:",
        "{platform} 不能切换到正式模式：",
    ),
    "shadow.missing": (
        "It cannot be switched to enforce yet: the policy lacks {missing}.",
        "尚不能切换到正式模式：策略缺少 {missing}。",
    ),
    "shadow.would": (
        "Switching to enforce would, at the most and at the earliest:",
        "若切换到正式模式，至多且最早：",
    ),
    "shadow.invited": ("accounts invited", "账号将受邀"),
    "shadow.restricted": ("restricted, if nobody answers", "账号将受限（若无人答复）"),
    "shadow.unproven": ("of them without proof of delivery", "其中没有送达证明"),
    "shadow.never_told": ("of them never sent a notice", "其中从未发过通知"),
    "shadow.stale": ("left out: counts older than max_age", "未计入：数据超过 max_age"),
    "shadow.first": (
        "The first restriction would be at {at}.",
        "首个限制将在 {at}。",
    ),
    "shadow.said": ("What was said", "已有输出"),
    "shadow.step": ("Step", "步骤"),
    "shadow.surfaces": ("Accounts restricted, by surface", "受限账号（按功能）"),
    "shadow.ever": ("shadow, ever", "影子，累计"),
    "shadow.now": ("shadow, now", "影子，当前"),
    "shadow.live_now": ("live, now", "正式，当前"),
    "shadow.by_enforce": ("by enforce", "切换后"),
    "shadow.backtest": ("Beside the backtest of {name}", "与 {name} 的回测对照"),
    "shadow.differs": ("differs", "不同"),
    "shadow.same": ("the same", "相同"),
    "shadow.same_so_far": ("the same so far", "目前相同"),
    "shadow.of_backtest": ("backtest", "回测"),
    "shadow.difference": ("difference", "差"),
    "shadow.why": ("What may make the difference:", "可能的原因："),
    "rollout.hint": (
        "Whether those whom the last change let in fare worse than those before. It may be asked as"
        " often as you like: at most 5 of 100 roll-outs give a false alarm. Nothing is changed.",
        "最近一次变更纳入的账号是否比之前的差。可随时重复：每 100 次放量至多 5 次误报。"
        "不作任何更改。",
    ),
    "rollout.raise": ("of the last raise of rollout_percent", "针对最近一次提高 rollout_percent"),
    "rollout.none": (
        "Nobody has asked for it yet: press the button. `byline rollout status` says the same.",
        "尚无结果，请按上方按钮。`byline rollout status` 内容相同。",
    ),
    "rollout.empty": ("No policy was ever in force here.", "从未有策略生效。"),
    "rollout.change": (
        "Version {after} after {before}.",
        "版本 {before} 之后的版本 {after}。",
    ),
    "rollout.since": ("It has run since {at}.", "自 {at} 运行。"),
    "rollout.raised": (
        "It raised rollout_percent from {before} to {after}; new are the accounts in between.",
        "rollout_percent 由 {before} 提高到 {after}，其间的账号为新账号。",
    ),
    "rollout.first_under": (
        "New are the accounts first invited under it.",
        "在其下首次受邀的账号为新账号。",
    ),
    "rollout.rate": ("Rate", "比率"),
    "rollout.within": ("Within", "期限"),
    "rollout.before": ("Before", "之前"),
    "rollout.new": ("New", "新"),
    "rollout.evidence": ("Evidence / alarm", "证据值 / 警戒值"),
    "rollout.takes": ("A doubling takes, before + new", "发现翻倍所需，之前 + 新"),
    "rollout.higher": ("higher", "更高"),
    "verdict.go_on": ("go on", "可以继续"),
    "verdict.hold": ("hold", "暂停"),
    "verdict.not_enough_yet": ("not enough yet", "数据尚不足"),
    "verdict.nothing_to_compare": ("nothing to compare", "无可比较"),
    "rate.undelivered": ("undelivered", "未送达"),
    "rate.declined": ("declined", "拒绝"),
    "rate.appeals_upheld": ("appeals upheld", "申诉成立"),
    "backtest.hint": (
        "What policies would have done to recorded history. `byline backtest POLICY --readings FILE"
        " --json FILE` makes a report, `byline backtest keep FILE` puts it here, `byline backtest"
        " drop NAME` takes it out.",
        "策略对历史数据的效果。`byline backtest POLICY --readings FILE --json FILE` 生成报告，"
        "`byline backtest keep FILE` 存入此处，`byline backtest drop NAME` 移除。",
    ),
    "backtest.none": (
        "No report is kept yet. `byline backtest keep FILE` puts one here.",
        "尚无报告。`byline backtest keep FILE` 可存入。",
    ),
    "backtest.report": ("Report", "报告"),
    "backtest.kept": ("Kept", "存入时间"),
    "backtest.kept_at": ("Kept at {at}, {ago} ago.", "于 {at}（{ago}前）存入。"),
    "backtest.policies": ("Policies: invited / restricted at the end", "策略：受邀 / 结束时受限"),
    "backtest.against": ("Compare with", "比较对象"),
    "backtest.all": ("what is the same too", "包括相同项"),
    "backtest.other_data": (
        "The two are not of the same data or the same answers: what differs may come of that.",
        "两份报告的数据或答复设定不同，差异可能由此而来。",
    ),
    "backtest.alone": (
        "Only one of the two reports has such a policy: there is nothing to compare.",
        "只有一份报告含此策略，无可比较。",
    ),
    "backtest.begins_later": (
        "Its first phase begins on {at}, after all of the history: nobody can be invited.",
        "首个阶段始于 {at}，晚于全部历史数据，因此无人受邀。",
    ),
    "backtest.part": ("Part", "部分"),
    "backtest.what": ("What", "内容"),
    "backtest.number": ("Number", "数量"),
    "backtest.same": ("No number differs.", "没有不同的数字。"),
    "backtest.hidden": ("The same in both, and not shown: {count}", "两者相同而未显示：{count}"),
    "backtest.changes": ("What changes from {a} to {b}", "从 {a} 到 {b} 的变化"),
    "backtest.under": ("Under this policy alone", "仅在此策略下"),
    "backtest.accounts": ("The accounts that change", "有变化的账号"),
    "backtest.nothing_changes": ("Nothing changes for any account.", "没有账号有变化。"),
    "backtest.whole": ("To the whole report", "查看整份报告"),
    "backtest.first_at": ("First at", "首次时间"),
    "backtest.instead": ("Under the other", "在另一策略下"),
    "backtest.never": ("never a word", "从未涉及"),
    "backtest.no_changes": (
        "This report compares no two policies. `byline backtest A --against B --json FILE` does.",
        "此报告没有比较两个策略。`byline backtest A --against B --json FILE` 可比较。",
    ),
    "backtest.data": ("The data", "数据"),
    "backtest.readings": ("Readings", "读数"),
    "backtest.answers": ("Answers", "答复"),
    "backtest.rows": ("Rows", "行数"),
    "backtest.first": ("From", "起"),
    "backtest.now": ("The clock stopped at", "时钟停于"),
    "backtest.left_out": ("What the report does not say", "报告未涵盖"),
    "figures.accounts": ("accounts", "账号"),
    "figures.restricted": ("restricted at the end", "结束时受限"),
    "figures.reasons": ("events by reason", "事件及原因"),
    "figures.deferred": ("held back", "暂缓"),
    "figures.funnel": ("funnel", "漏斗"),
    "figures.load": ("busiest window of a cap", "限额最忙时段"),
    "figures.near": ("near the line", "接近门槛"),
    "figures.crossings": ("upward crossings of the line", "上穿门槛次数"),
    "figures.guards": ("guards tripped", "保护触发"),
    "figures.refused": ("refused by the core", "核心拒绝"),
    "change.invited": ("invited", "受邀"),
    "change.restricted": ("restricted", "受限"),
    "change.released": ("released", "解除"),
    "change.otherwise": ("the same, but otherwise", "两者皆有但不同"),
    "evidence.title": ("Evidence", "证据"),
    "evidence.hint": (
        "A file for an auditor: policies in force and who approved them, counts, the verified hash"
        " chain of the decision log, and samples that the core decides anew. It is read from the"
        " topics, which takes as long as the log is; it is kept for seven days. It is not signed:"
        " `byline evidence FILE --key KEY` signs one.",
        "供审计用的文件：生效的策略及批准人、数量、决策日志哈希链的校验，以及由核心重新决定的样本。"
        "内容直接读自主题，耗时取决于日志长度；保存七天。此处不签名，"
        "`byline evidence FILE --key KEY` 可签名。",
    ),
    "evidence.samples": ("Samples", "样本数"),
    "evidence.go": ("Gather it now", "立即生成"),
    "evidence.none": (
        "Nobody has asked for evidence in the last seven days: choose a period and press the"
        " button.",
        "最近七天没有生成证据：请选择期间并按按钮。",
    ),
    "evidence.period": ("Period", "期间"),
    "evidence.asked": ("Asked for", "提出"),
    "evidence.found": ("What it says", "结论"),
    "evidence.sound": ("everything holds", "全部成立"),
    "evidence.unsound": ("something does not hold: the file says what", "有不成立之处，见文件"),
    "evidence.sums": (
        "{decisions} decisions, {events} events, {breaches} breaches, {samples} samples",
        "{decisions} 个决定，{events} 个事件，{breaches} 处违反，{samples} 个样本",
    ),
    "evidence.digest": ("SHA-256 beside it", "SHA-256 文件"),
    "evidence.failed": ("failed", "失败"),
    "evidence.working": ("being gathered", "生成中"),
    "error.samples": ("Samples are a number from 0 to 100.", "样本数为 0 到 100。"),
    "policy.with": ("Compare with version", "与版本比较"),
    "policy.compare": ("Compare", "比较"),
    "policy.examples": (
        "Compare leads accounts through both versions, and shows the smallest for which one is"
        " stricter or milder.",
        "“比较”会让账号经历两个版本，并以最小的例子说明何处更严或更宽。",
    ),
    "policy.verdicts": ("Stricter or milder", "更严或更宽"),
    "question.who_is_invited": ("who is invited", "谁受邀"),
    "question.who_is_restricted": ("who is restricted", "谁受限"),
    "question.how_long_they_have": ("how long they have", "答复时间"),
    "lives.equivalent": ("equivalent", "等同"),
    "lives.stricter": ("stricter", "更严"),
    "lives.milder": ("milder", "更宽"),
    "lives.incomparable": ("stricter for some, milder for others", "有严有宽"),
    "lives.not shown": ("not shown", "未能证明"),
}
