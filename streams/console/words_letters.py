"""The texts of the pages of dead letters, in English and Chinese."""

WORDS: dict[str, tuple[str, str]] = {
    "letters.hint": (
        "A refused record restricts nobody. Send it again once its cause is mended, or dismiss it;"
        " the text of a record is fetched from its topic and shown masked.",
        "被拒记录不会限制任何人。原因排除后可重新发送，或予以忽略；记录内容取自其主题，经遮蔽后显示。",
    ),
    "letters.filter": ("Which letters", "选择死信"),
    "letters.open": ("open", "未处理"),
    "letters.settled": ("settled", "已处理"),
    "letters.all": ("all", "全部"),
    "letters.counts": ("By platform, topic and reason", "按平台、主题和原因"),
    "letters.topic": ("Topic", "主题"),
    "letters.reason": ("Reason", "原因"),
    "letters.count": ("Letters", "数量"),
    "letters.newest": ("The newest", "最新"),
    "letters.record": ("Record", "记录"),
    "letters.field": ("Field", "字段"),
    "letters.bytes": ("Bytes", "字节"),
    "letters.refused_at": ("Refused", "拒绝时间"),
    "letters.more": ("The newest {count} are shown.", "只显示最新 {count} 条。"),
    "letters.none": ("No record of this kind was refused.", "没有此类被拒记录。"),
    "letters.chosen": ("Shown: {what}.", "当前显示：{what}。"),
    "letters.not_chosen": ("Show all kinds", "显示所有类别"),
    "letters.do": ("What to do with them", "处理方式"),
    "letters.do_one": ("What to do with it", "处理方式"),
    "letters.seen_to": ("Settled", "处理"),
    "letters.these": ("the chosen ones", "所选"),
    "letters.every": ("every open one of this kind", "此类全部未处理"),
    "letters.which": ("Which", "范围"),
    "letters.rekey": (
        "Where key and value disagree, go by the value",
        "键与值不一致时以值为准",
    ),
    "letters.dry": (
        "You see what would become of each before anything is sent.",
        "发送之前会显示每条的结果。",
    ),
    "letters.dry_one": (
        "You see what would become of it before anything is sent.",
        "发送之前会显示结果。",
    ),
    "letters.settled_when": ("{how}, by {actor}, {at}", "{how}，操作人 {actor}，{at}"),
    "letters.not_settled": ("nobody has settled it", "尚未处理"),
    "letters.cure": ("What to change", "如何改正"),
    "letters.what": ("The record", "记录内容"),
    "letters.gone": ("It cannot be shown: {why}.", "无法显示：{why}。"),
    "letters.no_kafka": (
        "The record lies in Kafka, which did not give it: {why}.",
        "记录位于 Kafka，未能取得：{why}。",
    ),
    "letters.no_value": ("It has no value: a tombstone.", "无值（墓碑记录）。"),
    "letters.key": ("Key", "键"),
    "letters.headers": ("Headers", "标头数"),
    "letters.masked": (
        "Only valid values of known fields are shown; all other text is masked.",
        "仅显示已知字段的有效值，其余一律遮蔽。",
    ),
    "letters.guard": (
        "When all letters of a platform are settled, its refusal guard can be ended.",
        "某平台的死信全部处理后，可结束其拒收保护。",
    ),
    "letters.guard_go": ("To that switch", "前往该开关"),
    "settle.redrive": ("send again", "重新发送"),
    "settle.dismiss": ("dismiss", "忽略"),
    "settle.redriven": ("sent again", "已重新发送"),
    "settle.dismissed": ("dismissed", "已忽略"),
    "settle.counts": (
        "{letters} letters: {settled} would be settled, {before} were settled before.",
        "{letters} 条死信：将处理 {settled} 条，此前已处理 {before} 条。",
    ),
    "settle.done": (
        "{settled} letters were settled, {before} were settled before.",
        "已处理 {settled} 条，此前已处理 {before} 条。",
    ),
    "settle.stay": ("{count} stay: {why}", "{count} 条保留：{why}"),
    "settle.final": (
        "It cannot be taken back: a record that is sent counts.",
        "不能撤回：发送的记录即生效。",
    ),
    "settle.shown": (
        "{done} of {wanted} are shown as settled by the index.",
        "索引显示 {wanted} 条中已处理 {done} 条。",
    ),
    "error.kafka_asked": (
        "Kafka could not be asked: {why}. Nothing was sent.",
        "无法查询 Kafka：{why}。未发送任何内容。",
    ),
    "error.no_letter": ("No letter is chosen. Nothing was sent.", "未选择死信。未发送任何内容。"),
    "error.letters": (
        "These are more than {most} letters: choose a topic and a reason. Nothing was sent.",
        "超过 {most} 条死信：请选择主题和原因。未发送任何内容。",
    ),
    "error.letters_at_once": (
        "Another person's order on dead letters was under way at the same moment. Go back and press"
        " again: it goes on with what is not settled.",
        "同一时刻另一人的死信操作正在进行。请返回后再按一次：将从尚未处理的死信继续。",
    ),
    "error.no_such_letter": (
        "The index has no dead letter of this record.",
        "索引中没有此记录的死信。",
    ),
}
