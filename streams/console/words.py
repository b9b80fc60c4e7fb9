"""The words of the pages: each key in English and Chinese. A test compares it with the templates.

Between backticks stands a command. words_actions.py has those of what a person can do,
words_letters.py those of dead letters, words_worked.py those of reports that are worked out,
words_provider.py those of signing in by OIDC.
"""

from streams.console.words_actions import WORDS as ACTIONS
from streams.console.words_letters import WORDS as LETTERS
from streams.console.words_provider import WORDS as PROVIDER
from streams.console.words_reading import WORDS as READING
from streams.console.words_worked import WORDS as WORKED
from streams.explain.sentences import Language

WORDS: dict[str, tuple[str, str]] = {
    "skip": ("To the content", "跳到内容"),
    "show": ("Show", "显示"),
    "all": ("all", "全部"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "in": ("in {span}", "{span}后"),
    "ago": ("{span} ago", "{span}前"),
    "platform": ("Platform", "平台"),
    "mode.enforce": ("live", "正式"),
    "mode.shadow": ("shadow", "影子"),
    "pages.label": ("Pages", "分页"),
    "pages.before": ("← Before", "← 上一页"),
    "pages.after": ("After →", "下一页 →"),
    "nav.label": ("Console", "控制台"),
    "nav.overview": ("Overview", "概览"),
    "nav.accounts": ("Accounts", "账号"),
    "nav.worklists": ("Work-lists", "待办"),
    "nav.letters": ("Dead letters", "死信"),
    "nav.policies": ("Policies", "策略"),
    "nav.reports": ("Reports", "报告"),
    "nav.accesses": ("Who looked", "查阅记录"),
    "nav.proposals": ("Orders", "指令"),
    "nav.switches": ("Switches", "开关"),
    "signed_in": ("Signed in as {actor}", "当前用户 {actor}"),
    "sign_out": ("Sign out", "退出"),
    "sign_out_everywhere": ("Sign out everywhere", "在所有设备退出"),
    "view.language": ("Language", "语言"),
    "view.theme": ("Theme", "主题"),
    "view.zone": ("Time zone", "时区"),
    "view.take": ("Apply", "应用"),
    "theme.auto": ("as the system", "跟随系统"),
    "theme.light": ("light", "浅色"),
    "theme.dark": ("dark", "深色"),
    "age.as_of": (
        "As of {at}, {ago} ago; {behind} records behind.",
        "数据截至 {at}（{ago}前），尚差 {behind} 条记录。",
    ),
    "age.late": (
        "This is old, what came since is missing: is `byline index --follow` running?",
        "数据已旧，此后的记录尚缺：`byline index --follow` 在运行吗？",
    ),
    "age.never": (
        "The index is being filled: {read} of {all} records are read. What is here is part, and"
        " what is not here may be in Kafka.",
        "索引正在建立：{all} 条记录中已读 {read} 条。此处并不完整，未列出的可能仍在 Kafka 中。",
    ),
    "sign_in.title": ("Sign in", "登录"),
    "sign_in.token": ("Token", "令牌"),
    "sign_in.go": ("Sign in", "登录"),
    "sign_in.hint": (
        "The token of a line in BYLINE_ROLES_FILE. `printf %s TOKEN | sha256sum` makes the line's"
        " first word.",
        "BYLINE_ROLES_FILE 中某一行的令牌；`printf %s TOKEN | sha256sum` 得到该行第一个词。",
    ),
    "sign_in.nobody": (
        "This token is nobody's. Check it, or ask who keeps BYLINE_ROLES_FILE for a line.",
        "令牌无效。请核对，或请维护 BYLINE_ROLES_FILE 的人添加一行。",
    ),
    "sign_in.unknown": (
        "You are signed in at the proxy, but the console does not know you. Ask who keeps"
        " BYLINE_ROLES_FILE for a line that begins with the word below, then an opaque id (letters,"
        " digits, . _ -) and a role.",
        "代理已确认您的身份，但控制台不认识您。请维护 BYLINE_ROLES_FILE"
        " 的人添加一行：以下面的词开头，再写不含姓名的代号（字母、数字、. _ -）和角色。",
    ),
    "sign_in.no_proxy": (
        "Nobody can sign in in this way. Come through the proxy that signs people in, or open the"
        " console on its own machine at 127.0.0.1 (`ssh -L`, `kubectl port-forward`), through"
        " nothing that passes requests on.",
        "无法以此方式登录。请经由负责登录的代理访问，或在本机 127.0.0.1"
        " 直接打开（`ssh -L`、`kubectl port-forward`），中间不得有转发请求的程序。",
    ),
    "error.title": ("This was not done", "未能执行"),
    "error.no_page": ("Not found", "页面不存在"),
    "error.back": ("To the first page", "回到首页"),
    "error.missing": (
        "There is no such page. Nothing was changed.",
        "没有这个页面，未作任何更改。",
    ),
    "error.method": ("This page cannot be asked in this way.", "此页面不支持这种请求。"),
    "error.form": (
        "The form could not be read. Go back, load the page again, and send it once more.",
        "表单无法读取。请返回、重新加载页面后再提交。",
    ),
    "error.guard": (
        "This form is of another session, or older than half an hour. Nothing was changed: load the"
        " page again and send it once more.",
        "表单属于另一会话或已超过半小时，未作任何更改。请重新加载页面后再提交。",
    ),
    "error.host": (
        "The console does not answer under this name. On its own machine open it at 127.0.0.1 or"
        " localhost. Else whoever keeps it sets `BYLINE_CONSOLE_ADDRESS` to the address that"
        " browsers open.",
        "控制台不以此名称应答。请在本机用 127.0.0.1 或 localhost 打开；否则请维护者将"
        " `BYLINE_CONSOLE_ADDRESS` 设为浏览器所用的地址。",
    ),
    "error.signed_out": (
        "You are signed out. Nothing was changed: sign in and send it once more.",
        "您已退出，未作任何更改。请登录后再提交。",
    ),
    "error.role": (
        "You lack the role `{role}`. Ask who keeps BYLINE_ROLES_FILE.",
        "您没有角色 `{role}`。请联系维护 BYLINE_ROLES_FILE 的人。",
    ),
    "error.not_local": (
        "A token counts only on the console's own machine, opened at 127.0.0.1 or localhost"
        " (`ssh -L`, `kubectl port-forward`). This request came from elsewhere, under the address"
        " of the console, or through something that passes requests on.",
        "令牌只能在控制台所在机器上通过 127.0.0.1 或 localhost 使用"
        "（`ssh -L`、`kubectl port-forward`）。"
        "此请求来自别处、使用了控制台的对外地址，或经过了转发请求的程序。",
    ),
    "error.too_often": (
        "Too many tokens that are nobody's. Wait five minutes.",
        "无效令牌过多，请等五分钟。",
    ),
    "error.away": (
        "The index's database does not answer. Nothing was changed: try again in a minute; the"
        " console's log says why.",
        "索引数据库没有响应，未作任何更改。请稍后再试，原因见控制台日志。",
    ),
    "error.index": (
        "The index cannot be used as it is; the console's log says why. `byline index` brings it up"
        " to date.",
        "索引目前无法使用，原因见控制台日志。`byline index` 可使其更新。",
    ),
    "error.bug": (
        "The page could not be made; the console's log has the cause. Nothing was changed.",
        "页面无法生成，原因见控制台日志；未作任何更改。",
    ),
    "error.streams": (
        "Too many pages listen for news. This one loads its news every minute.",
        "监听更新的页面过多，本页每分钟刷新一次。",
    ),
    "error.account": (
        "An account is `platform:account_id`, such as `weibo:5012`.",
        "账号的写法是 `平台:账号编号`，例如 `weibo:5012`。",
    ),
    "error.policy": (
        "No policy with this digest is in the index.",
        "索引中没有此摘要的策略。",
    ),
    "error.platform": (
        "No policy of this platform is in the index. Choose one of the list.",
        "索引中没有该平台的策略，请从列表中选择。",
    ),
    "error.report": (
        "There is no such report any more. Load the list again.",
        "没有这份报告，请重新加载列表。",
    ),
    "error.file_kind": ("There is no such kind of file.", "没有这种文件格式。"),
    "error.day": ("A day is written like 2026-01-31.", "日期的写法如 2026-01-31。"),
    "error.part": (
        "The index is being filled: a file from it would be part, and would not say so.",
        "索引正在建立：此时导出的文件并不完整，且不会注明。",
    ),
    "error.period": ("The end has to be later than the start.", "结束须晚于开始。"),
    **READING,
    **ACTIONS,
    **LETTERS,
    **WORKED,
    **PROVIDER,
}


def told(language: Language, key: str, **says: object) -> str:
    """Returns the text of a key in a language, its fields filled."""
    text = WORDS[key][1 if language == "zh" else 0]
    return text.format(**says) if says else text
