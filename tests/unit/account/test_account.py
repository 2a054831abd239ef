"""Accounts and how they are told apart."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliproxy.account.credential import Credential
from cliproxy.account.model import Account, ModelRule, stable_id
from cliproxy.base.redact import Secret

FACTS = st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=4)


@given(FACTS, FACTS)
def test_an_id_stands_for_the_facts_and_for_nothing_else(one, two):
    first, second = stable_id("claude:apikey", *one), stable_id("claude:apikey", *two)
    assert re.fullmatch(r"claude:apikey:[0-9a-f]{12}", first)
    assert (first == second) is (one == two)


def test_an_id_is_the_same_after_a_restart():
    assert stable_id("gemini:apikey", "key", "base") == "gemini:apikey:f3a559afb06a"
    assert stable_id("gemini:apikey", "key") != stable_id("claude:apikey", "key")


def test_an_id_does_not_show_the_key():
    assert "sk-secret" not in stable_id("claude:apikey", "sk-secret")


@pytest.mark.parametrize(
    ("rule", "visible"), [(ModelRule("up"), "up"), (ModelRule("up", alias="nick"), "nick")]
)
def test_clients_see_the_alias_or_the_name(rule, visible):
    assert rule.visible == visible


def test_printing_an_account_does_not_print_its_secret():
    account = Account("id", "claude", "label", secret=Secret("sk-ant-0123456789-secret-0123456789"))
    assert "0123456789-secret" not in repr(account)


@pytest.mark.parametrize(
    ("fields", "token"),
    [
        ({"api_key": "k"}, "k"),
        ({"api-key": "k"}, "k"),
        ({"api_key": "new", "api-key": "old"}, "new"),
        ({"api-key": "k", "access_token": "t"}, "k"),
        ({"access_token": "t"}, "t"),
    ],
)
def test_a_file_may_spell_its_key_with_a_dash(fields, token):
    assert Credential("iflow.json", {"type": "iflow", **fields}).token == token
