"""The texts of the console's actions, in English and Chinese."""

WORDS: dict[str, tuple[str, str]] = {
    "act.title": ("What you can do", "可执行操作"),
    "act.go": ("Prepare", "准备"),
    "act.chosen": ("With the chosen accounts", "对所选账号"),
    "act.choose": ("Choose", "选择"),
    "act.hint": (
        "You see whom it concerns before anything is sent.",
        "发送之前会显示涉及的账号。",
    ),
    "act.accounts": ("Accounts, one a line", "账号（每行一个）"),
    "act.command": ("What", "操作"),
    "act.reason": ("Why", "原因"),
    "act.pick": ("choose a reason", "请选择原因"),
    "act.expires_at": ("A hold ends by itself at (may be empty)", "暂缓自动结束于（可留空）"),
    "act.until": ("An extension lasts until", "延期至"),
    "act.appeal_id": (
        "Which appeal (empty: the one without an id)",
        "申诉编号（留空：无编号的申诉）",
    ),
    "act.zone": ("Times are in {zone}.", "时间为 {zone}。"),
    "act.switch": ("Switch", "开关"),
    "act.scope": ("For", "范围"),
    "act.scope_all": ("all platforms", "所有平台"),
    "act.on": ("on", "打开"),
    "act.off": ("off", "关闭"),
    "act.turn": ("Turn it", "置为"),
    "act.switch_title": ("A switch", "开关"),
    "act.control_title": ("An operator's word", "操作员指令"),
    "do.hold": ("Hold", "暂缓"),
    "do.unhold": ("End the hold", "结束暂缓"),
    "do.lift": ("Lift", "解除"),
    "do.extend": ("Extend", "延期"),
    "do.reissue": ("Send again", "重发通知"),
    "do.settle": ("Settle", "澄清"),
    "do.appeal_opened": ("Appeal opened", "申诉提出"),
    "do.appeal_upheld": ("Appeal upheld", "申诉成立"),
    "do.appeal_rejected": ("Appeal rejected", "申诉驳回"),
    "command.hold": (
        "hold: nothing adverse until it is ended",
        "暂缓：结束前不作任何不利处理",
    ),
    "command.unhold": ("unhold: end a hold", "结束暂缓"),
    "command.lift": (
        "lift: cancel the invitation, or free what is restricted",
        "解除：取消邀请或解除限制",
    ),
    "command.extend": ("extend: longer to answer", "延期：延长答复期"),
    "command.reissue": ("reissue: send the notice again", "重发通知"),
    "command.settle": ("settle: unclear words are seen to", "澄清：不明内容已查看"),
    "command.appeal_opened": ("appeal opened", "申诉已提出"),
    "command.appeal_upheld": ("appeal upheld: the owner was right", "申诉成立"),
    "command.appeal_rejected": ("appeal rejected: the clock goes on", "申诉驳回：继续计时"),
    "switch.adverse_off": (
        "adverse_off: defer everything adverse, stop the clock",
        "暂停一切不利处理并停表",
    ),
    "switch.invitations_off": ("invitations_off: defer new invitations", "暂停新邀请"),
    "switch.throttles_off": (
        "throttles_off: defer expiries, restrictions, renewals",
        "暂停到期、限制与续期",
    ),
    "switch.answers_paused": (
        "answers_paused: answers cannot be given, stop the clock",
        "无法答复，停表",
    ),
    "switch.refusals_settled": (
        "refusals_settled: on ends a tripped refusal guard",
        "打开即结束拒收保护",
    ),
    "reason.operator_request": ("an operator's decision", "操作员决定"),
    "reason.owner_request": ("the owner's wish", "本人要求"),
    "reason.legal_hold": ("a legal hold", "法律保全"),
    "reason.error_correction": ("an error corrected", "更正错误"),
    "reason.incident": ("an incident", "事故"),
    "reason.appeal": ("an appeal", "申诉"),
    "reason.test": ("a test", "测试"),
    "order.title": ("Order", "指令"),
    "order.counts": (
        "{accounts} accounts, {known} known to the workers: {invited} with an open invitation,"
        " {restricted} restricted.",
        "{accounts} 个账号，其中系统已知 {known} 个：{invited} 个有未结邀请，{restricted} 个受限。",
    ),
    "order.can_undo": ("It can be taken back.", "可以撤回。"),
    "order.cannot_undo": (
        "It cannot be taken back: the owner is told.",
        "不能撤回：将告知本人。",
    ),
    "order.none": (
        "As the index has it, it can affect none of them. It can be sent: inputs may be on their"
        " way.",
        "按索引所示，对这些账号均无影响。仍可发送：可能有输入正在途中。",
    ),
    "order.without": ("{count} of them: {why}", "其中 {count} 个：{why}"),
    "order.warning": ("As the index has it, {why}.", "按索引所示：{why}。"),
    "order.left": ("{count} are left alone: {why}", "{count} 个不处理：{why}"),
    "order.state": ("State", "状态"),
    "order.what": ("What", "内容"),
    "order.who": ("Prepared by", "准备人"),
    "order.decided_by": ("Decided by", "决定人"),
    "order.made_at": ("Prepared", "准备时间"),
    "order.bulk_id": ("Bulk", "批次"),
    "order.accounts": ("The accounts", "涉及账号"),
    "order.send": ("Send", "发送"),
    "order.propose": ("Propose to a second person", "提交他人批准"),
    "order.approve": ("Approve and send", "批准并发送"),
    "order.decline": ("Refuse", "拒绝"),
    "order.undo": ("Take back", "撤回"),
    "order.again": ("Send again", "重新发送"),
    "order.waits": (
        "It waits for a second person with the role approver, until {until}.",
        "等待另一位具有 approver 角色的人批准，截至 {until}。",
    ),
    "order.expired": (
        "Its time is over: nothing was sent. Prepare it anew.",
        "已过期，未发送任何内容。请重新准备。",
    ),
    "order.sending": (
        "It is not known whether Kafka has it. Sent again, it counts once.",
        "不确定 Kafka 是否已收到。重新发送只计一次。",
    ),
    "order.underway": (
        "{actor} pressed {what} about the same, {at}; it is not known whether Kafka has it.",
        "{actor} 于 {at} 就同一对象按下 {what}；不确定 Kafka 是否已收到。",
    ),
    "order.failed": (
        "A worker would refuse it: {why}. Nothing was sent.",
        "工作进程会拒收：{why}。未发送。",
    ),
    "order.progress": (
        "{done} of {partitions} partitions have read it.",
        "{partitions} 个分区中 {done} 个已读取。",
    ),
    "order.obeyed": ("All partitions have read it.", "所有分区均已读取。"),
    "order.slow": (
        "If that does not change: `byline status` says whether each partition has a worker.",
        "若长时间无变化：`byline status` 可查看各分区是否有工作进程。",
    ),
    "state.prepared": ("prepared, nothing is sent", "已准备，未发送"),
    "state.proposed": ("proposed", "待批准"),
    "state.expired": ("its time is over, nothing was sent", "已过期，未发送"),
    "state.sending": ("being sent", "发送中"),
    "state.sent": ("sent", "已发送"),
    "state.failed": ("refused", "被拒"),
    "state.declined": ("refused by the second person", "被第二人拒绝"),
    "orders.waiting": ("Waiting for a second person", "等待批准"),
    "orders.rest": ("Sent and decided", "已发送与已决定"),
    "orders.none_waiting": ("Nothing waits.", "没有等待批准的指令。"),
    "orders.none": (
        "Nothing was sent from here yet. An account's page and the work-lists have the forms.",
        "尚未由此发送任何指令。账号页面和待办中有相应表单。",
    ),
    "error.choice": (
        "Choose what and why from the lists. Nothing was sent.",
        "请从列表中选择操作和原因。未发送任何内容。",
    ),
    "error.nobody": ("No account is chosen. Nothing was sent.", "未选择账号。未发送任何内容。"),
    "error.order": ("Nothing was sent: {why}.", "未发送：{why}。"),
    "error.time": ("This is no time like 2026-01-31T12:00.", "时间写法如 2026-01-31T12:00。"),
    "error.not_yours": ("Only who prepared it can send it.", "只有准备人可以发送。"),
    "error.yourself": (
        "You prepared it yourself: a second person has to decide.",
        "这是您自己准备的，须由另一人决定。",
    ),
    "error.decided": (
        "It was decided already, or its time is over. Load its page again.",
        "已有决定或已过期。请重新加载页面。",
    ),
    "error.undo": (
        "There is nothing here that can be taken back.",
        "没有可以撤回的内容。",
    ),
    "error.undo_left": ("Nothing of it can be taken back: {why}.", "没有可以撤回的内容：{why}。"),
    "error.turned_on": (
        "{actor} turned it on since. If that shall end, turn it under Switches.",
        "{actor} 此后已将其打开。如需关闭，请在“开关”中操作。",
    ),
    "error.turned_off": (
        "{actor} turned it off since. If that shall end, turn it under Switches.",
        "{actor} 此后已将其关闭。如需打开，请在“开关”中操作。",
    ),
    "error.said_since": (
        "{account}: {actor} said {command} since this was prepared. Nothing was sent: prepare it"
        " again.",
        "{account}：{actor} 在此之后发出了 {command}。未发送任何内容，请重新准备。",
    ),
    "error.sent_since": (
        "{actor} sent {what} about the same since this was prepared. Nothing was sent: prepare it"
        " again.",
        "{actor} 在此之后就同一对象发送了 {what}。未发送任何内容，请重新准备。",
    ),
    "error.underway": (
        "{actor} has pressed {what} about the same, and it is not known whether Kafka has it."
        " Nothing was sent: have that one sent first; it is under Orders.",
        "{actor} 已就同一对象按下 {what}，尚不确定 Kafka 是否已收到。未发送任何内容：请先在“指令”中"
        "将其发送完成。",
    ),
    "error.claimed": (
        "It is being sent at this moment. Load its page again in fifteen seconds.",
        "正在发送中，请十五秒后重新加载页面。",
    ),
    "error.unread": (
        "The index has not yet read {count} records of what was said last, so nothing that ends a"
        " protection is sent from here. Try again in a few seconds; if it stays, look after"
        " `byline index`. The command line does not need it.",
        "索引尚有 {count} 条最新记录未读，因此不能从这里发出任何解除保护的指令。请几秒后再试；"
        "如持续，请检查 `byline index`。命令行不受影响。",
    ),
    "error.maker": (
        "{actor}, who prepared it, may no longer give orders. Nothing was sent.",
        "准备者 {actor} 已无下达指令的权限。未发送任何内容。",
    ),
    "error.not_yet": (
        "The index has not yet read it. Try again in a few seconds.",
        "索引尚未读到，请几秒后再试。",
    ),
    "error.kafka": (
        "Kafka did not take it: {why}. It is kept: open it under Orders and send it again; it"
        " counts once.",
        "Kafka 未接收：{why}。内容已保留：请在“指令”中打开并重新发送，只计一次。",
    ),
}
