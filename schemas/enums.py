"""The enums of all inputs and outputs. No other value is ever read or written."""

from enum import StrEnum, unique

PLATFORM_PATTERN = r"^[a-z][a-z0-9-]{1,31}$"
ACCOUNT_ID_PATTERN = r"^[A-Za-z0-9._~-]{1,64}$"
ID_PATTERN = r"^[A-Za-z0-9._~:-]{1,128}$"
ACTOR_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"

MAX_FOLLOWERS = 10**10
MAX_CATEGORY_LENGTH = 64
MAX_VALUE_BYTES = 64 * 1024
ALLOWED_SKEW_SECONDS = 300
"""How far a stated time may be after the record's entry, its append to Kafka (PT5M)."""
EARLIEST_TIME_MS = 1_104_537_600_000
"""2005-01-01T00:00:00Z: an earlier time on the wire is a sentinel, not a date."""


@unique
class Mode(StrEnum):
    """What a policy, phase or surface may do; ordered from weakest to strongest."""

    OFF = "off"
    SHADOW = "shadow"
    ENFORCE = "enforce"


@unique
class Field(StrEnum):
    """Byline's common terms for the subject of an account."""

    CURRENT_AFFAIRS = "current-affairs"
    SOCIETY = "society"
    POLITICS = "politics"
    MILITARY = "military"
    FINANCE = "finance"
    LAW = "law"
    HEALTH = "health"
    EDUCATION = "education"
    OTHER_PROFESSIONAL = "other-professional"


@unique
class Surface(StrEnum):
    """The places that a restriction can concern. Basic functions cannot be restricted."""

    RECOMMEND_FEED = "recommend-feed"
    HOT_SEARCH = "hot-search"
    SEARCH = "search"
    DISTRIBUTION = "distribution"
    AD_SHARE = "ad-share"
    TIPS = "tips"
    REVENUE_SHARE = "revenue-share"
    PAID_CONTENT = "paid-content"
    COMMERCE = "commerce"


@unique
class Level(StrEnum):
    """How strong a restriction is: `limited` is milder than `off`."""

    LIMITED = "limited"
    OFF = "off"


@unique
class Cause(StrEnum):
    """Why a follower count changed."""

    ORGANIC = "organic"
    OWNER_PURGE = "owner_purge"
    PLATFORM_PURGE = "platform_purge"
    CORRECTION = "correction"


@unique
class LabelSource(StrEnum):
    """Who states the label."""

    DECLARED = "declared"
    PLATFORM = "platform"
    VERIFIED = "verified"


@unique
class Change(StrEnum):
    """What happened to an account."""

    CLOSED = "closed"
    REOPENED = "reopened"
    OWNER_CHANGED = "owner_changed"
    EXEMPTED = "exempted"
    EXEMPTION_ENDED = "exemption_ended"


@unique
class Outcome(StrEnum):
    """The notifier's result for a notice."""

    DELIVERED = "delivered"
    FAILED = "failed"


@unique
class Failure(StrEnum):
    """Why a notice did not reach its owner."""

    BLOCKED = "blocked"
    INVALID = "invalid"
    UNREACHABLE = "unreachable"
    OTHER = "other"


@unique
class Answer(StrEnum):
    """The owner's answers."""

    GRANTED = "granted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@unique
class Command(StrEnum):
    """An operator's commands about one account."""

    HOLD = "hold"
    UNHOLD = "unhold"
    LIFT = "lift"
    EXTEND = "extend"
    REISSUE = "reissue"
    SETTLE = "settle"
    APPEAL_OPENED = "appeal_opened"
    APPEAL_UPHELD = "appeal_upheld"
    APPEAL_REJECTED = "appeal_rejected"


@unique
class ControlReason(StrEnum):
    """Why an operator acted."""

    OPERATOR_REQUEST = "operator_request"
    OWNER_REQUEST = "owner_request"
    LEGAL_HOLD = "legal_hold"
    ERROR_CORRECTION = "error_correction"
    INCIDENT = "incident"
    APPEAL = "appeal"
    TEST = "test"


@unique
class Switch(StrEnum):
    """The switches of an operator. `refusals_settled` ends the deferral of the refusal guard."""

    ADVERSE_OFF = "adverse_off"
    INVITATIONS_OFF = "invitations_off"
    THROTTLES_OFF = "throttles_off"
    ANSWERS_PAUSED = "answers_paused"
    REFUSALS_SETTLED = "refusals_settled"


@unique
class AckOutcome(StrEnum):
    """What an enforcing system did with a throttle event."""

    APPLIED = "applied"
    LIFTED = "lifted"
    FAILED = "failed"


@unique
class Deferral(StrEnum):
    """Why an adverse event is deferred. Decision log, work-lists and metrics use these words.

    Several reasons at once are listed in this order.
    """

    ADVERSE_OFF = "adverse_off"
    INVITATIONS_OFF = "invitations_off"
    THROTTLES_OFF = "throttles_off"
    ANSWERS_PAUSED = "answers_paused"
    REFUSALS = "refusals"
    CLUSTER_CHANGED = "cluster_changed"
    HOLD = "hold"
    APPEAL = "appeal"
    APPEAL_UPHELD = "appeal_upheld"
    UNCLEAR_ANSWER = "unclear_answer"
    LEAVING = "leaving"
    STALE = "stale"
    GUARD = "guard"
    CAP = "cap"


@unique
class Ignored(StrEnum):
    """Why an input about an account caused no transition (`ignored` in a decision)."""

    RECORDED = "recorded"
    REPEAT = "duplicate"
    STALE = "stale"
    NO_CYCLE = "no_cycle"
    OTHER_CYCLE = "other_cycle"
    OTHER_NOTICE = "other_notice"
    BEFORE_ISSUE = "before_issue"
    BEFORE_DELIVERY = "before_delivery"
    NO_UNTIL = "no_until"
    NOT_LATER = "not_later"
    OTHER_APPEAL = "other_appeal"
    WAITS = "waits"
    UNCLEAR = "unclear"
    UNTRACKED = "untracked"
    """Only in metrics: nothing is known of the account, so there is no decision record."""


@unique
class Event(StrEnum):
    """Every event that Byline emits."""

    INVITATION_ISSUED = "invitation.issued"
    INVITATION_DELIVERED = "invitation.delivered"
    INVITATION_UNDELIVERABLE = "invitation.undeliverable"
    INVITATION_REMINDED = "invitation.reminded"
    INVITATION_EXTENDED = "invitation.extended"
    INVITATION_EXPIRED = "invitation.expired"
    INVITATION_CANCELLED = "invitation.cancelled"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_DECLINED = "consent.declined"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_VOIDED = "consent.voided"
    THROTTLE_APPLIED = "throttle.applied"
    THROTTLE_RENEWED = "throttle.renewed"
    THROTTLE_LIFTED = "throttle.lifted"


ADVERSE_EVENTS = frozenset(
    {
        Event.INVITATION_ISSUED,
        Event.INVITATION_REMINDED,
        Event.INVITATION_EXPIRED,
        Event.THROTTLE_APPLIED,
        Event.THROTTLE_RENEWED,
    }
)
"""The events to an owner's disadvantage; all others are favourable."""


@unique
class Ground(StrEnum):
    """Why an event goes out (`reason`). `schemas.events` says which event has which."""

    OVER_LINE = "over_line"
    REISSUED = "reissued"
    RECEIPT = "receipt"
    ANSWER = "answer"
    PROJECTED = "projected"
    BLOCKED = "blocked"
    INVALID = "invalid"
    UNREACHABLE = "unreachable"
    OTHER = "other"
    REMINDER = "reminder"
    OPERATOR = "operator"
    PAUSE = "pause"
    POLICY = "policy"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    LEFT = "left"
    EXEMPTED = "exempted"
    LABEL = "label"
    CLOSED = "closed"
    OWNER_CHANGED = "owner_changed"
    APPEAL = "appeal"
    IN_TIME = "in_time"
    LATE = "late"
    NOTICE = "notice"
    REVIEW = "review"
    GRANTED = "granted"
    UNDELIVERABLE = "undeliverable"
    ENDED = "ended"


@unique
class Refused(StrEnum):
    """Why an input became a dead letter."""

    NOT_JSON = "not_json"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    BAD_ID = "bad_id"
    KEY_MISMATCH = "key_mismatch"
    WRONG_PARTITION = "wrong_partition"
    UNKNOWN_PLATFORM = "unknown_platform"
    OUT_OF_RANGE = "out_of_range"
    TIME_AHEAD = "time_ahead"
    TIME_BEFORE_2005 = "time_before_2005"
    TOO_LARGE = "too_large"
    NAME_FIELD = "name_field"
    NOT_APPROVED = "not_approved"
    UNREADABLE_BATCH = "unreadable_batch"


_NAME_FIELDS = """
    name real_name realname true_name full_name fullname first_name last_name given_name family_name
    middle_name legal_name display_name birth_name former_name chinese_name english_name person_name
    personal_name surname forename nickname nick_name nick screen_name user_name username
    user_nickname author_name owner_name holder_name account_name account_holder contact_name
    applicant_name customer_name member_name legal_person legal_person_name legal_representative
    operator_name anchor_name blogger_name creator_name weibo_name wechat_name douyin_name
    kuaishou_name bilibili_name xiaohongshu_name baidu_name verified_name

    id_number id_no id_num id_card idcard id_card_no id_card_number id_card_name identity_no
    identity_number identity_card identity_card_no identity_card_number national_id
    national_id_number citizen_id card_no card_number card_holder cert_no cert_number
    certificate_no certificate_number document_number passport passport_no passport_number
    driver_license driver_license_no social_security_number ssn tax_id

    phone phone_no phone_num phone_number mobile mobile_no mobile_number mobile_phone
    mobile_phone_number cell_phone telephone telephone_number tel email email_address e_mail

    xingming zhenshixingming zhenming shiming nicheng shenfenzheng shenfenzhenghao
    shenfenzhenghaoma sfz sfzh zhengjianhao zhengjianhaoma zjhm shouji shoujihao

    姓 名 姓名 真实姓名 真實姓名 真名 本名 名字 实名 實名 实名姓名 實名姓名 法定姓名 中文名 英文名
    曾用名 用户姓名 用戶姓名 本人姓名 联系人 聯絡人 联系人姓名 聯絡人姓名 法人 法人姓名
    法定代表人 持卡人 户名 戶名 昵称 暱稱 呢称 用户名 用戶名 使用者名稱 用户昵称 用戶暱稱 账户名
    帳戶名 账号名称 帳號名稱 微信名 微博名 作者姓名 主播姓名 博主姓名

    身份证 身份證 身分证 身分證 身份证号 身份證號 身分證號 身份证号码 身份證號碼 身分證號碼
    身分證字號 居民身份证 居民身份證 居民身份证号 居民身份證號 居民身份证号码 居民身份證號碼
    身份证件号 身份證件號 身份证件号码 身份證件號碼 公民身份号码 公民身份號碼 证件号 證件號
    证件号码 證件號碼 卡号 卡號 护照 護照 护照号 護照號 护照号码 護照號碼 驾驶证号 駕駛證號
    社保号 社保號 社会保障号码 社會保障號碼

    手机 手機 手机号 手機號 手机号码 手機號碼 电话 電話 电话号码 電話號碼 联系电话 聯絡電話
    联系方式 聯絡方式 邮箱 郵箱 电子邮箱 電子郵箱 电子邮件 電子郵件 邮件地址 郵件地址
"""

NAME_FIELDS = frozenset(_NAME_FIELDS.split())
"""Names of fields that are known to carry a person's name or identity number.

They are compared after NFKC, case folding and removal of everything but letters and digits, at any
depth (`streams/core/inputs/plain.py`). Each is listed in one spelling, and in both Chinese scripts.
"""
