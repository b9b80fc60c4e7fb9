"""The sentences of an explanation in Chinese. `en.py` has the same keys, which a test checks."""

from streams.operate.statements.words import CHINESE

TEXTS = {
    "unknown": "没有保存 {account} 的任何记录：低于最低门槛，或从未读到。",
    "remains": "账号已注销；不得遗忘的内容以摘要保存。",
    "no_policy": "策略主题中没有 {platform} 的策略文本。",
    "no_count": "没有记住它的粉丝数。",
    "count": "{at} 时粉丝数为 {followers}。",
    "label_none": "没有标签。",
    "label_contradictory": "{at} 的两个标签互相矛盾，均不算数。",
    "label_unknown": "{at} 的标签不在策略的对照表中，其文本不予保存。",
    "label_over": "标签“{label}”已于 {at} 失效。",
    "label_uncovered": "标签“{label}”不属于策略覆盖的领域。",
    "label_covered": "标签“{label}”属于{field}领域，在覆盖范围内。",
    "exempt": "账号获得豁免。",
    "outside": "不适用本规则：{why}。",
    "outside_below": "不适用本规则：粉丝数低于 {line} 的门槛。",
    "dwelling": "自 {since} 起满足门槛 {line}（{phase}）的全部条件；稳定期于 {ends} 结束。",
    "inside": "适用本规则：超过门槛 {line}（{phase}）。",
    "leaving": "{since} 跌破退出线 {exit}；{ends} 之前若无不低于该线的读数，即退出。",
    "cool_down": "{until} 之前不会再次邀请：上一次邀请的冷却期。",
    "life.NONE": "没有进行中的邀请，没有生效的同意，没有任何限制。",
    "life.INVITED": "第 {number} 次邀请（{mode}）于 {issued} 发出，尚无送达消息。",
    "life.UNDELIVERED": "第 {number} 次邀请（{mode}）的通知于 {failed} 送达失败。",
    "life.DELIVERED": (
        "第 {number} 次邀请（{mode}）于 {delivered} 送达；告知的期限为 {deadline}，尚未答复。"
    ),
    "life.DECLINED": "{answered} 拒绝了第 {number} 次邀请（{mode}）；期限仍为 {deadline}。",
    "life.EXPIRED": "第 {number} 次邀请（{mode}）已到期：期限为 {deadline}。",
    "life.GRANTED": "{answered} 表示同意：同意正在生效（{mode}）。",
    "spared": "有人免除了此次邀请的后果：它不会再带来限制。",
    "unrestricted": "没有任何限制。",
    "restricted": "{surface}：自 {since} 起{level}（{mode}），最迟至 {until}。",
    "waits_receipt": "等待通知方的回执，没有期限；在此之前不会有任何后果。",
    "waits_people": "等待人工处理：`byline control reissue` 可再次发出通知。",
    "no_deadline": "没有期限：策略未规定答复期。",
    "clock_runs": "答复期正在计时：距 {deadline} 还有 {left}。",
    "clock_stopped": "答复期自 {since} 起暂停，原因：{by}；恢复后还剩 {left}。",
    "timer.hold-expires": "暂缓于 {at} 自行结束，还有 {left}。",
    "timer.label-expires": "标签于 {at} 失效，还有 {left}。",
    "timer.phase-starts": "新阶段于 {at} 开始，还有 {left}。",
    "timer.leave-over": "于 {at} 退出，还有 {left}。",
    "timer.dwell-over": "稳定期于 {at} 结束，还有 {left}。",
    "timer.throttle-expires": "{surface}无论如何于 {at} 解除限制，还有 {left}。",
    "timer.cycle-expires": "到期的邀请于 {at} 结束，还有 {left}。",
    "timer.review-due": "{surface}的限制于 {at} 复核，还有 {left}。",
    "timer.deadline": "期限于 {at} 到期，还有 {left}。",
    "timer.reissue": "通知即将再次发出。",
    "timer.reminder": "提醒应于 {at} 发出，还有 {left}。",
    "timer.issue": "邀请可于 {at} 发出，还有 {left}。",
    "due_but": "{event}已到时，但在等待：{by}。",
    "waits_nothing": "不等待任何事。",
    "ground.adverse_off": (
        "adverse_off：由操作员以 `byline switch adverse-off off --scope` … 结束。"
    ),
    "ground.invitations_off": (
        "invitations_off：由操作员以 `byline switch invitations-off off --scope` … 结束。"
    ),
    "ground.throttles_off": (
        "throttles_off：由操作员以 `byline switch throttles-off off --scope` … 结束。"
    ),
    "ground.answers_paused": (
        "answers_paused：由操作员以 `byline switch answers-paused off --scope` … 结束。"
    ),
    "ground.refusals": (
        "refusals：{platform} 的输入被拒收。死信处理完毕后，以 `byline switch refusals-settled on"
        " --scope {platform}` 结束。"
    ),
    "ground.cluster_changed": "cluster_changed：集群在运行中发生变化；修复后重新启动即结束。",
    "ground.hold": "hold：由操作员以 `byline control unhold {account}` 结束。",
    "ground.appeal": (
        "appeal：由裁决结束，`byline control appeal-rejected` 或 `appeal-upheld {account}`。"
    ),
    "ground.appeal_upheld": (
        "appeal_upheld：不再邀请，直到账号易主，或操作员以 `byline control unhold {account}"
        " --reason appeal` 结束。"
    ),
    "ground.unclear_answer": (
        "unclear_answer：有一条无法理解的消息；由清楚的消息结束，或由查看过的人以 `byline control"
        " settle {account}` 结束。"
    ),
    "ground.leaving": "leaving：低于退出线；一次不低于该线的读数即结束。",
    "ground.stale": "stale：粉丝数早于策略允许的期限；一次新的读数即结束。",
    "ground.guard": "guard：{platform} 的防护已触发；窗口过后自行恢复。",
    "ground.cap": "cap：本分区的限额已用完；下一个窗口即恢复。",
    "terms_ground": (
        "发出时固定：阶段 {phase}，门槛 {line}，领域{field}（{source}），策略版本 {version}"
        "（{digest}…）。"
    ),
    "terms_notice": "通知 {notice} 版本 {version}，答复期 {window}。",
    "terms_no_window": "通知 {notice} 版本 {version}，无答复期。",
    "terms_exit": "低于 {exit} 粉丝满 {leave} 即退出（取当时与现在较宽者）。",
    "terms_surfaces": "涉及：{surfaces}；情形：{on}；最长 {ends}。",
    "terms_none": "不涉及任何限制。",
    "without": "若无变化，{at}：{what}。",
    "without_nothing": "若无变化，什么也不会发生。",
    "change.more_followers": "若粉丝增加 {by} 且此后不下降：{at} {what}。",
    "change.fewer_followers": "若粉丝减少 {by} 且此后不回升：{at} {what}。",
    "change.label": "若有覆盖范围内的标签，如“{label}”：{at} {what}。",
    "change.no_label": "若标签改为不适用的标签：{at} {what}。",
    "change.grant": "若表示同意：{what}。",
    "change.grant_until": "若同意最迟于 {until} 到达：{what}。",
    "change.withdraw": "若撤回同意：{what}。",
    "change.exemption_ends": "若豁免结束：{at} {what}。",
    "change_to_nothing.more_followers": "若粉丝增加 {by}：什么也不会发生。",
    "change_to_nothing.fewer_followers": "若粉丝减少 {by}：什么也不会发生。",
    "change_to_nothing.label": "若有覆盖范围内的标签，如“{label}”：什么也不会发生。",
    "change_to_nothing.no_label": "若标签改为不适用的标签：什么也不会发生。",
    "change_to_nothing.grant": "若表示同意：什么也不会发生。",
    "change_to_nothing.grant_until": "若同意最迟于 {until} 到达：什么也不会发生。",
    "change_to_nothing.withdraw": "若撤回同意：什么也不会发生。",
    "change_to_nothing.exemption_ends": "若豁免结束：什么也不会发生。",
    "nearest_none": "粉丝数、标签或答复的任何单项变化都不会改变这一点。",
    "nearest_unknown": "无法说明什么会改变它：其状态或策略未知。",
    "event": "{event}（{reason}，{mode}），序号 {sequence}。",
    "event_surface": "{event}：{surface}（{reason}，{mode}），序号 {sequence}。",
    "taken": "{machine}：{before} → {after}，原因：{input}。",
    "put_off": "{event}被推迟：{by}。",
    "ignored": "未改变任何事：{why}。",
    "said": "{topic}：{word}。",
    "said_by": "{topic}：{word}，操作人 {actor}。",
    "refused": "{topic} 的一条记录被拒收：{reason}。",
    "refused_field": "{topic} 的一条记录被拒收：{reason}（{field}）。",
    "ack": "{system} 对一项限制事件的回报：{outcome}。",
    "obeyed": "{system} 在 {after} 后对{surface}的{event}回报：{outcome}。",
    "unobeyed": "自 {at} 起，没有执行系统回报已执行{surface}的{event}。",
    "from_index": "来自索引，截至 {as_of}；落后 {behind} 条记录。",
    "from_index_unread": "来自索引，它尚未读完所有主题：还剩 {behind} 条。",
    "from_kafka": "直接读取主题（未查询索引），截至 {as_of}。",
    "not_whole": "主题未能读到末尾：缺少 {behind} 条记录。",
}

HEADINGS = {
    "now": "现状",
    "waits": "在等待什么",
    "deferrals": "什么使它暂缓，谁能解除",
    "terms": "当时承诺的条件",
    "nearest": "什么会改变它",
    "timeline": "经过",
}

WORDS = {
    "d": "天",
    "h": "小时",
    "min": "分",
    "s": "秒",
    "mode.enforce": "正式",
    "mode.shadow": "影子",
    "why.closed": "账号已注销",
    "why.exempted": "账号获得豁免",
    "why.policy": "策略中没有对它生效的阶段",
    "why.label": "其标签不在覆盖范围内",
    "ignored.recorded": "仅作记录",
    "ignored.duplicate": "此前已说过",
    "ignored.stale": "早于已生效的消息",
    "ignored.no_cycle": "没有进行中的邀请",
    "ignored.other_cycle": "指的是另一次邀请",
    "ignored.other_notice": "指的是另一份通知",
    "ignored.before_issue": "早于发出时间",
    "ignored.before_delivery": "早于送达时间",
    "ignored.no_until": "未写明日期",
    "ignored.not_later": "日期并不更晚",
    "ignored.other_appeal": "针对另一项申诉",
    "ignored.waits": "等待可以生效之时",
    "ignored.unclear": "含义不清，使不利处置暂缓",
    "ignored.untracked": "该账号未被记录",
    "on.declined": "拒绝",
    "on.no_answer": "未答复",
    "invitation.issued": "发出邀请",
    "invitation.expired": "邀请到期",
    "invitation.cancelled": "邀请取消",
    "consent.granted": "同意生效",
    "consent.withdrawn": "同意撤回",
    "consent.voided": "同意失效",
    "throttle.applied": "施加限制",
    "throttle.lifted": "解除限制",
    **CHINESE["surface"],
    **{f"level.{key}": word for key, word in CHINESE["level"].items()},
    **{f"source.{key}": word for key, word in CHINESE["source"].items()},
    **CHINESE["field"],
}
