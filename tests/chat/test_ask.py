"""Asking: a question, its empty answer and its reservation, or nothing at all."""

from uuid import UUID

import pytest

from accounts.models import User
from accounts.types import Principal
from chat import selectors, services
from chat.errors import AnswerRunning
from chat.models import Conversation, Message
from chat.types import Author, Progress
from core.errors import InvalidRequest, NotFound
from gateway.services import LOCAL_MODEL_NAME
from policies.errors import AcknowledgmentRequired
from quotas.errors import QuotaExhausted
from quotas.models import Reservation
from quotas.selectors import find_differences
from quotas.services import set_quota
from quotas.types import State
from tests.chat.conftest import AddModel, accepted
from usage.models import UsageRecord
from usage.types import Outcome


@pytest.fixture(autouse=True)
def _model(add_model: AddModel) -> None:
    add_model("good")
    add_model("slow")


def finish(answer_id: object, text: str = "An answer.") -> None:
    services.finish_answer(answer_id=answer_id, text=text, progress=Progress.COMPLETE)  # type: ignore[arg-type]


def test_a_question_is_saved_with_its_empty_answer_and_its_reservation(student: Principal) -> None:
    asked = services.ask(principal=student, text="What is a binary search?", model="good")

    question, answer = Message.objects.filter(conversation_id=asked.conversation_id)
    assert (question.author, question.text) == (Author.PERSON, "What is a binary search?")
    assert (answer.author, answer.text, answer.progress) == (Author.MODEL, "", Progress.RUNNING)
    assert Reservation.objects.get(call_id=asked.admission.call.id).state == State.DISPATCHED
    assert answer.prompts == 1


def test_the_conversation_is_titled_from_the_first_prompt(student: Principal) -> None:
    asked = services.ask(principal=student, text="\n## Why is the sky blue?\nAnd the sea?", model="good")

    assert Conversation.objects.get(pk=asked.conversation_id).title == "Why is the sky blue?"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("short", "short"),
        ("word " * 40, "word word word word word word word word word word word word…"),
        ("二分搜尋最多需要比較多少次？" * 10, ("二分搜尋最多需要比較多少次？" * 10)[:59] + "…"),
        ("```\nprint(1)\n```", "print(1)"),
        ("???", "???"),
    ],
)
def test_a_title_is_one_line_cut_at_a_word(text: str, title: str) -> None:
    assert services.title_of(text) == title


def test_the_next_question_takes_the_turns_before_it_along(student: Principal) -> None:
    first = services.ask(principal=student, text="One", model="good")
    finish(first.answer_id, "Two")

    second = services.ask(principal=student, text="Three", model="good", conversation_id=first.conversation_id)

    assert second.admission.call.body["messages"] == [
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": "Three"},
    ]


def test_a_long_conversation_is_sent_upstream_only_by_its_end(student: Principal) -> None:
    first = services.ask(principal=student, text="a" * 30_000, model="good")
    finish(first.answer_id, "b" * 30_000)
    second = services.ask(principal=student, text="c" * 200, model="good", conversation_id=first.conversation_id)
    finish(second.answer_id, "d" * 200)

    third = services.ask(principal=student, text="e", model="good", conversation_id=first.conversation_id)

    contents = [message["content"][0] for message in third.admission.call.body["messages"]]
    assert contents == ["c", "d", "e"]


def test_the_built_in_model_is_sent_no_more_than_it_reads(student: Principal, catalog: None) -> None:
    first = services.ask(principal=student, text="a" * 5_000, model=LOCAL_MODEL_NAME)
    finish(first.answer_id, "b" * 5_000)

    second = services.ask(principal=student, text="c", model=LOCAL_MODEL_NAME, conversation_id=first.conversation_id)

    assert [message["content"] for message in second.admission.call.body["messages"]] == ["c"]


def shown(conversation_id: UUID) -> list[str]:
    """The texts of the branch that is shown."""
    return [message.text for message in selectors.list_path(Conversation.objects.get(pk=conversation_id))]


def test_an_edited_question_is_a_branch_that_does_not_know_the_other(student: Principal) -> None:
    first = services.ask(principal=student, text="One", model="good")
    finish(first.answer_id, "uno")
    second = services.ask(principal=student, text="Two", model="good", conversation_id=first.conversation_id)
    finish(second.answer_id, "dos")

    edited = services.ask(
        principal=student,
        text="Zwei?",
        model="good",
        conversation_id=first.conversation_id,
        instead_of=second.question_id,
    )

    sent = [message["content"] for message in edited.admission.call.body["messages"]]
    assert sent == ["One", "uno", "Zwei?"]
    assert shown(first.conversation_id) == ["One", "uno", "Zwei?", ""]
    finish(edited.answer_id, "zwei")
    branches = selectors.find_branches(first.conversation_id)
    assert second.question_id and edited.question_id
    assert (branches[second.question_id].number, branches[edited.question_id].number) == (1, 2)

    services.show_branch(user_id=student.user_id, message_id=second.question_id)
    assert shown(first.conversation_id) == ["One", "uno", "Two", "dos"]
    third = services.ask(principal=student, text="Three", model="good", conversation_id=first.conversation_id)
    sent = [message["content"] for message in third.admission.call.body["messages"]]
    assert sent == ["One", "uno", "Two", "dos", "Three"]


def test_another_answer_may_come_from_another_model_and_stands_beside_the_first(student: Principal) -> None:
    first = services.ask(principal=student, text="One", model="good")
    finish(first.answer_id, "uno")

    again = services.ask_again(principal=student, answer_id=first.answer_id, model="slow")

    assert again.admission.call.model == "slow"
    assert shown(first.conversation_id) == ["One", ""]
    branches = selectors.find_branches(first.conversation_id)
    assert (branches[first.answer_id].after, branches[again.answer_id].before) == (again.answer_id, first.answer_id)


def test_branches_of_others_are_not_found(student: Principal, other_student: Principal) -> None:
    first = services.ask(principal=student, text="One", model="good")
    finish(first.answer_id, "uno")
    with pytest.raises(NotFound):
        services.show_branch(user_id=other_student.user_id, message_id=first.answer_id)
    mine = services.ask(principal=other_student, text="Mine", model="good")
    finish(mine.answer_id, "x")
    with pytest.raises(NotFound):
        services.ask(
            principal=other_student,
            text="Theirs",
            model="good",
            conversation_id=mine.conversation_id,
            instead_of=first.question_id,
        )


def test_a_failed_answer_is_not_shown_to_the_model_again(student: Principal) -> None:
    first = services.ask(principal=student, text="One", model="good")
    services.finish_answer(answer_id=first.answer_id, text="brok", progress=Progress.FAILED, code="upstream_error")

    again = services.ask_again(principal=student, answer_id=first.answer_id)

    assert again.question_id is None
    assert again.admission.call.body["messages"] == [{"role": "user", "content": "One"}]
    assert shown(first.conversation_id) == ["One", ""]
    assert Message.objects.filter(conversation=first.conversation_id).count() == 3


def test_a_refused_question_leaves_nothing_but_its_record(student: Principal) -> None:
    set_quota(limit=0, user_id=student.user_id)

    with pytest.raises(QuotaExhausted):
        services.ask(principal=student, text="Hello", model="good")

    assert not Conversation.objects.exists()
    assert not Message.objects.exists()
    assert not Reservation.objects.exists()
    assert UsageRecord.objects.get().outcome == Outcome.REFUSED
    assert find_differences() == []


def test_a_refusal_in_a_conversation_does_not_move_it_up(student: Principal) -> None:
    asked = services.ask(principal=student, text="Hello", model="good")
    finish(asked.answer_id)
    before = Conversation.objects.get().updated_at
    set_quota(limit=1, user_id=student.user_id)

    with pytest.raises(QuotaExhausted):
        services.ask(principal=student, text="More", model="good", conversation_id=asked.conversation_id)

    assert Conversation.objects.get().updated_at == before
    assert Message.objects.count() == 2


def test_nobody_asks_before_accepting_the_clauses(sara: User, clauses: None) -> None:
    principal = accepted(sara)
    sara2 = User.objects.create_user("sara2@example.edu", name="Sara Two")

    with pytest.raises(AcknowledgmentRequired):
        services.ask(principal=type(principal)(user_id=sara2.pk, role=principal.role), text="Hello", model="good")

    assert not Message.objects.exists()


def test_one_conversation_grows_one_answer_at_a_time(student: Principal) -> None:
    asked = services.ask(principal=student, text="One", model="good")

    with pytest.raises(AnswerRunning):
        services.ask(principal=student, text="Two", model="good", conversation_id=asked.conversation_id)

    assert Reservation.objects.count() == 1


@pytest.mark.parametrize("text", ["", "  \n ", "\x00\x07", "x" * (services.LONGEST_PROMPT + 1)])
def test_a_question_must_say_something_and_not_too_much(student: Principal, text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        services.ask(principal=student, text=text, model="good")

    assert caught.value.param == "text"
    assert not Reservation.objects.exists()


def test_a_course_must_be_one_of_the_persons(student: Principal) -> None:
    with pytest.raises(InvalidRequest) as caught:
        services.ask(principal=student, text="Hello", model="good", course_code="COMP1117")

    assert caught.value.param == "course"


def test_nobody_asks_in_the_conversation_of_another(student: Principal, other_student: Principal) -> None:
    asked = services.ask(principal=student, text="Mine", model="good")
    finish(asked.answer_id)

    with pytest.raises(NotFound):
        services.ask(principal=other_student, text="Yours", model="good", conversation_id=asked.conversation_id)
    with pytest.raises(NotFound):
        services.ask_again(principal=other_student, answer_id=asked.answer_id)
