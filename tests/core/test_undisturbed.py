"""What a thread remembers of the database is gone as soon as anybody has written, and only then."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from accounts.models import Department
from core.rows import IS_SQLITE
from core.undisturbed import Undisturbed

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not IS_SQLITE, reason="PostgreSQL cannot say that nobody has written"),
]


def keep(memory: Undisturbed[str], value: str = "value") -> None:
    """Keep a value in a transaction that writes."""
    with transaction.atomic():
        memory.take()
        write()
        memory.keep(value)


def take(memory: Undisturbed[str]) -> str | None:
    with transaction.atomic():
        return memory.take()


def write() -> None:
    number = Department.objects.count()
    Department.objects.create(name=f"Department {number}", code=f"D{number}")


def elsewhere(work: Callable[[], object]) -> None:
    """Do it on a connection of another thread's."""

    def piece() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(piece).result()


def test_what_was_kept_is_there_once_when_nobody_has_written() -> None:
    memory: Undisturbed[str] = Undisturbed()
    keep(memory)
    Department.objects.count()  # who only reads disturbs nobody
    elsewhere(Department.objects.count)
    assert take(memory) == "value"
    assert take(memory) is None


@pytest.mark.parametrize("someone", [lambda: elsewhere(write), write], ids=["another connection", "this connection"])
def test_what_was_kept_is_gone_when_somebody_has_written(someone: Callable[[], None]) -> None:
    memory: Undisturbed[str] = Undisturbed()
    keep(memory)
    someone()
    assert take(memory) is None


def test_what_was_kept_is_gone_when_a_change_of_this_connection_was_taken_back() -> None:
    memory: Undisturbed[str] = Undisturbed()
    keep(memory)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write()
        raise ZeroDivisionError
    assert take(memory) is None


def test_nothing_is_kept_by_a_transaction_that_was_taken_back() -> None:
    memory: Undisturbed[str] = Undisturbed()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        memory.take()
        write()
        memory.keep("value")
        raise ZeroDivisionError
    assert take(memory) is None


def test_nothing_is_kept_by_a_transaction_that_went_on_writing() -> None:
    memory: Undisturbed[str] = Undisturbed()
    with transaction.atomic():
        memory.take()
        memory.keep("value")
        write()
    assert take(memory) is None


def test_nothing_is_remembered_over_a_new_connection() -> None:
    memory: Undisturbed[str] = Undisturbed()
    keep(memory)
    connection.close()
    assert take(memory) is None


def test_another_thread_has_a_memory_of_its_own() -> None:
    memory: Undisturbed[str] = Undisturbed()
    keep(memory)
    found = []
    elsewhere(lambda: found.append(take(memory)))
    assert found == [None]
