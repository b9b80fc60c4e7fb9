"""Fields that carry a person's name or identity number are refused however they are spelt."""

from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from schemas.enums import NAME_FIELDS, Refused
from schemas.inputs import INPUT_MODELS, InputName, ThrottleAck
from streams.core.inputs.plain import Refusal, folded, has_name_field
from tests.contracts.reference import GOOD, by_the_core
from tests.core.given import Day

SPELT = [
    "firstName",
    "FirstName",
    "first-name",
    "FIRST NAME",
    "first.name",
    "_first__name_",
    "id_No",
    "idNo",
    "ID No.",
    "IDCard",
    "id-card-no",
    "cardNo",
    "passportNo",
    "trueName",
    "legalName",
    "wechat_name",
    "weChatName",
    "ＮＡＭＥ",
    "ｒｅａｌ＿ｎａｍｅ",
    "ﬁrst_name",
    "na\u200bme",
    "na\u00adme",
    "name\ufe0f",
    "phone-Number",
    "e-mail",
    "E_Mail",
    "真實姓名",
    "真实姓名",
    "「姓名」",
    "姓 名",
    "身份證",
    "身分證字號",
    "身份证_号码",
    "公民身份号码",
    "證件號碼",
    "護照號碼",
    "手機號碼",
    "暱稱",
    "姓",
]
INNOCENT = [
    "account_id",
    "accountId",
    "platform",
    "platform_name_hash",
    "user_id",
    "category_name",
    "filename",
    "hostname",
    "topic_name",
    "rename",
    "namespace",
    "nameless",
    "id",
    "ids",
    "number",
    "card",
    "identity_verified",
    "real_name_verified",
    "email_verified",
    "real_name_status",
    "实名认证",
    "名次",
    "身份",
    "手机型号",
    "账号",
]


@pytest.mark.parametrize("key", SPELT)
@pytest.mark.parametrize("name", INPUT_MODELS)
def test_a_name_field_is_caught_in_every_spelling_at_any_depth(name: InputName, key: str) -> None:
    for more in ({key: "x"}, {"x": {key: None}}, {"x": [1, [{"y": {key: []}}]]}):
        refusal = by_the_core(name, msgspec.json.encode({**GOOD[name], **more}))
        assert refusal == Refusal(Refused.NAME_FIELD), more


@pytest.mark.parametrize("key", INNOCENT)
def test_other_fields_are_no_name_fields(key: str) -> None:
    assert not has_name_field({key: "x"})
    value = {**GOOD["follower-counts"], "x": {key: "x"}}
    assert not isinstance(by_the_core("follower-counts", msgspec.json.encode(value)), Refusal)


def test_no_field_of_the_contract_is_a_name_field() -> None:
    names: set[str] = set()
    models: tuple[type[BaseModel], ...] = (*INPUT_MODELS.values(), ThrottleAck)
    for model in models:
        names |= set(model.model_fields)
    assert not [name for name in names if has_name_field({name: 1})]


def test_what_is_compared_has_letters_and_digits_alone() -> None:
    assert folded("  Real_Name-2 ") == "realname2"
    assert folded("ＮＡＭＥ") == "name"
    assert folded("ẞ") == "ss"
    assert folded("...") == folded("") == ""
    assert all(folded(name) for name in NAME_FIELDS)


def test_a_name_field_raises_a_metric_of_its_own() -> None:
    value: dict[str, Any] = {**GOOD["follower-counts"], "realName": "x"}
    day = Day().put("follower-counts", "weibo:a1", value)
    assert day.partition.counts["dead_letters", "follower-counts", Refused.NAME_FIELD] == 1
