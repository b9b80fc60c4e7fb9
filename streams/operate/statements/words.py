"""Translates every closed-list value of a statement; a test checks that none is missing."""

from collections.abc import Mapping

Words = Mapping[str, Mapping[str, str]]

CHINESE: Words = {
    "surface": {
        "recommend-feed": "推荐信息流",
        "hot-search": "热搜",
        "search": "搜索结果",
        "distribution": "内容分发",
        "ad-share": "广告分成",
        "tips": "打赏收入",
        "revenue-share": "收益分成",
        "paid-content": "付费内容",
        "commerce": "电商带货",
    },
    "level": {"limited": "受到限制", "off": "暂停"},
    "field": {
        "current-affairs": "时事",
        "society": "社会",
        "politics": "时政",
        "military": "军事",
        "finance": "财经",
        "law": "法律",
        "health": "医疗卫生",
        "education": "教育",
        "other-professional": "其他专业领域",
    },
    "source": {"declared": "账号自行申报", "platform": "平台标注", "verified": "已核验的资质"},
    "band": {
        "under-100000": "不足10万",
        "100000-499999": "10万至50万",
        "500000-999999": "50万至100万",
        "1000000-4999999": "100万至500万",
        "5000000-9999999": "500万至1000万",
        "10000000-and-more": "1000万及以上",
    },
    "answer": {
        "none": "截至期限，未收到您的答复",
        "declined": "您已明确表示不同意",
    },
    "redress": {
        "grant-consent": "随时同意展示：同意后，上述限制立即解除",
        "open-appeal": "提出申诉：申诉期间不会新增任何限制",
        "ask-for-human-review": "要求人工复核本决定",
    },
    "automation": {"AUTOMATED_DECISION_FULLY": "本决定完全由自动化程序作出"},
}

ENGLISH: Words = {
    "surface": {
        "recommend-feed": "the recommendation feed",
        "hot-search": "the hot-search list",
        "search": "search results",
        "distribution": "content distribution",
        "ad-share": "your share of advertising income",
        "tips": "income from tips",
        "revenue-share": "your share of revenue",
        "paid-content": "paid content",
        "commerce": "selling goods",
    },
    "level": {"limited": "limited", "off": "switched off"},
    "field": {
        "current-affairs": "current affairs",
        "society": "society",
        "politics": "politics",
        "military": "military affairs",
        "finance": "finance",
        "law": "law",
        "health": "health",
        "education": "education",
        "other-professional": "another professional field",
    },
    "source": {
        "declared": "declared by the account",
        "platform": "assigned by the platform",
        "verified": "from verified credentials",
    },
    "band": {
        "under-100000": "under 100,000",
        "100000-499999": "100,000 to 500,000",
        "500000-999999": "500,000 to 1 million",
        "1000000-4999999": "1 to 5 million",
        "5000000-9999999": "5 to 10 million",
        "10000000-and-more": "10 million and more",
    },
    "answer": {
        "none": "no answer had reached us by the deadline",
        "declined": "you had said no",
    },
    "redress": {
        "grant-consent": "agree to the display at any time: the restriction then ends at once",
        "open-appeal": "appeal: while it is open, nothing new is restricted",
        "ask-for-human-review": "ask for a person to review this decision",
    },
    "automation": {"AUTOMATED_DECISION_FULLY": "This decision was taken by automated means alone."},
}

WORDS: Mapping[str, Words] = {"zh": CHINESE, "en": ENGLISH}
