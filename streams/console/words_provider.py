"""The words of signing in by an OpenID provider, in English and Chinese."""

WORDS: dict[str, tuple[str, str]] = {
    "sign_in.provider": ("Sign in at {host}", "通过 {host} 登录"),
    "sign_in.on": ("Go on", "继续"),
    "error.oidc_state": (
        "This sign-in was not begun in this browser, was answered before, or took over ten minutes."
        " Nobody is signed in. Begin it again from the page Sign in.",
        "此次登录不是在本浏览器发起、已处理过，或超过十分钟，因此未登录。请从登录页重新开始。",
    ),
    "error.oidc_denied": (
        "The provider did not sign you in (`{why}`). Begin again; if it stays so, ask who keeps the"
        " provider whether you may use the console.",
        "身份提供方未让您登录（`{why}`）。请重试；若仍如此，请向其维护者确认您是否可以使用控制台。",
    ),
    "error.oidc_token": (
        "The provider's answer does not hold (`{why}`), so nobody is signed in. Begin again; if it"
        " stays so, ask who keeps the console to compare its settings `BYLINE_OIDC_…` and its clock"
        " with the provider's.",
        "身份提供方的应答无效（`{why}`），因此未登录。请重试；若仍如此，请控制台维护者核对"
        " `BYLINE_OIDC_…` 设置和时钟。",
    ),
    "error.oidc_no_claim": (
        "The provider's answer has no text `{claim}`, of which your id here is made. Ask who keeps"
        " the provider to send it to the console, or who keeps the console to set"
        " `BYLINE_OIDC_CLAIM`.",
        "身份提供方的应答中没有文本 `{claim}`，无法得出您的代号。请身份提供方维护者发送它，"
        "或请控制台维护者设置 `BYLINE_OIDC_CLAIM`。",
    ),
    "error.oidc_unfit": (
        "Your `{claim}` at the provider cannot be an id here: that is at most 64 letters, digits"
        " and . _ -, and names nobody. Ask who keeps the console for an entry in the file that"
        " `BYLINE_OIDC_ACTORS_FILE` names: `{digest}  AN-OPAQUE-ID`",
        "您在身份提供方的 `{claim}` 不能用作代号：代号最多 64 个字母、数字和 . _ -，且不含姓名。"
        "请控制台维护者在 `BYLINE_OIDC_ACTORS_FILE` 所指文件中添加：`{digest}  代号`",
    ),
    "error.oidc_unmapped": (
        "The provider has signed you in, but the console has no id for you. Ask who keeps the file"
        " of `BYLINE_OIDC_ACTORS_FILE` for the line `{digest}  AN-OPAQUE-ID`",
        "身份提供方已确认您的身份，但控制台没有您的代号。请维护 `BYLINE_OIDC_ACTORS_FILE`"
        " 的人添加一行：`{digest}  代号`",
    ),
    "error.oidc_no_role": (
        "You are {actor} here, but have no role. Ask who keeps BYLINE_ROLES_FILE for the line"
        " `oidc  {actor}  ROLE`",
        "您在此处的代号是 {actor}，但没有角色。请维护 BYLINE_ROLES_FILE 的人添加一行："
        "`oidc  {actor}  角色`",
    ),
    "error.oidc_actors": (
        "The file of `BYLINE_OIDC_ACTORS_FILE` cannot be used, so nobody is signed in; the"
        " console's log says which line.",
        "`BYLINE_OIDC_ACTORS_FILE` 文件无法使用，因此无人可登录；控制台日志会指出是哪一行。",
    ),
    "error.oidc_away": (
        "The provider that signs people in does not answer. Nothing was changed: try again in a"
        " minute; the console's log says what is wrong.",
        "身份提供方没有应答，未作任何更改。请一分钟后重试；控制台日志会说明原因。",
    ),
}
