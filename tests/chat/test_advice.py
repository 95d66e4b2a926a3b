"""What the free look at a question finds before it is sent, and above all what it leaves alone."""

import json
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

RULES = Path(settings.BASE_DIR) / "frontend" / "src" / "shared" / "advice.js"
SCRIPT = f"""
import {{ readFileSync }} from "node:fs";
import {{ advise }} from {json.dumps(RULES.as_uri())};
const texts = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => advise(text, {{ isFirst: true }}).map(({{ code }}) => code))));
"""

# The text, and what is found in it. All numbers are invented; their check digits are what the rule is about.
FOUND = [
    ("My HKID is A123456(3), is that a valid format?", "hkid"),
    ("My HKID is a123456(3), is that a valid format?", "hkid"),
    ("The number on the card reads A1234563.", "hkid"),
    ("Two letters: AB987654(3), and the letter as check digit: G123456(A).", "hkid hkid"),
    ("我的身份證號碼是A123456(3)，請幫我填這份表格。", "hkid"),
    ("我的身份証號碼是Ａ１２３４５６（３），請幫我填這份表格。", "hkid"),
    ("我的身份证号码是A123456(3)，请帮我填这份表格。", "hkid"),
    ("我的身份证号是11010519491231002X，请帮我写一封信。", "mainland-id"),
    ("Please pay with 4111 1111 1111 1111 and write me a receipt for it.", "card"),
    ("請用信用卡 5500-0000-0000-0004 付款，並寫一張收據。", "card"),
    ("Please write to my landlord, his number is +852 9123 4567.", "phone"),
    ("Write a notice for a lost cat: phone 9123 4567.", "phone"),
    ("幫我寫一張尋貓啟事，電話：91234567。", "phone"),
    ("帮我写一张寻猫启事，手机13812345678。", "phone"),
    ("Write a short letter of thanks to mei.wong@hku.hk for the lecture.", "e-mail"),
    ("請寫一封短信給陳先生（chan.tm@connect.hku.hk），多謝他的講座。", "e-mail"),
    ("Hello!", "greeting"),
    ("Can you help me, please?", "greeting"),
    ("你好！", "greeting"),
    ("可以帮我吗？", "greeting"),
    ("Explain this.", "pointing"),
    ("Can you summarize the following article for me?", "pointing"),
    ("請幫我翻譯這段文字。", "pointing"),
    ("请帮我总结以下内容", "pointing"),
    ("How does binary search find an item? Also, what was the Congress of Vienna?", "double"),
    ("二分搜尋法要比較多少次？另外，維也納會議是甚麼時候開的？", "double"),
    ("二分查找要比较多少次？还有，维也纳会议是什么时候开的？", "double"),
    ("My card is 4111111111111111 and my mail is mei.wong@hku.hk, is that safe?", "card e-mail"),
]

LEFT_ALONE = [
    # numbers that only look like one
    "Is A123456(4) a valid Hong Kong identity card number?",
    "Part AB1234567 of the catalog, order B200311(7), flight CX123456, revision a1234563.",
    "The product of 4111111111111112 and 3 has how many digits?",
    "ISBN 978-0-306-40615-7 and 9780306406157: which of them is a valid number?",
    "Pi is 3.14159265358979323846, and e is 2.71828182845904523536.",
    "What is 5 + 85291234567, and what is 10 +86 1381234567?",
    "The years 2019 2020 and the dates 20230801 and 1999-12-31; the port 27017.",
    "The timestamp 1700000000000 is in milliseconds; 1234567890 is in seconds.",
    "Prices of 91234567 and 61234567 dollars: what is the difference?",
    "110105194912310021 is a long number. Is it prime?",
    "UUID 550e8400-e29b-41d4-a716-446655440000, hash 5d41402abc4b2a76b9719d911017c592.",
    # addresses of nobody
    "git clone git@github.com:django/django.git fails with `Permission denied`. Why?",
    "Send it from noreply@hku.hk to student@example.edu in the test, with @property on the method.",
    # short, and clear all the same
    "What is entropy?",
    "Hello world in Rust",
    "Explain photosynthesis.",
    "Explain this: the mitochondrion is the powerhouse of the cell.",
    "Translate this into French: good morning",
    "help(str.split) in Python: what does it print?",
    "Summarize the causes of the Opium War",
    "甚麼是熵？",
    "解釋光合作用",
    "请解释这句话：学而时习之",
    "翻譯成英文：早晨",
    # one question in several sentences, or several that belong together
    "What is a monad? Why is it called that?",
    "I tried bubble sort. Is it slow? How slow is it for a thousand items?",
    "What is the difference between a list and a tuple, and also a set?",
    "Is it also true for n = 0? And for n = 1?",
    "甚麼是單子？為甚麼這樣叫？",
    "(a) What is the mode? (b) What is the median?",
]


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """What the rules say of every text of the tables: one start of node for all."""
    texts = [text for text, _codes in FOUND] + LEFT_ALONE
    answer = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    return {text: " ".join(codes) for text, codes in zip(texts, json.loads(answer.stdout), strict=True)}


@pytest.mark.parametrize(("text", "codes"), FOUND)
def test_what_should_not_be_sent_unread_is_found(found: dict[str, str], text: str, codes: str) -> None:
    assert found[text] == codes


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_is_harmless_is_left_alone(found: dict[str, str], text: str) -> None:
    assert found[text] == ""


def test_a_hostile_text_is_looked_at_in_no_time() -> None:
    """No rule may go back and forth in a text: each of these is as long as a question may be."""
    bombs = [part * (32_000 // len(part)) for part in ("1 ", "a@", "a.", "電話", "+852", "? also ", "A1", "4-", "請")]
    subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT],
        input=json.dumps(bombs),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
