"""What a provider's bill may look like, and what is said of one that cannot be read."""

import json
from collections.abc import Mapping
from datetime import date

import pytest

from core.sheets import UnreadableSheet
from core.types import Operation
from gateway import bill
from gateway.bill import LARGEST_BILL, MOST_DAYS, read_bill

MONDAY, TUESDAY = date(2026, 11, 30), date(2026, 12, 1)
PLAIN = "day,model,requests,input_tokens,output_tokens\n"
# The columns of OpenAI's export of usage, as far as they are of completions.
EXPORT = (
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,"
    "service_tier,input_tokens,output_tokens,input_cached_tokens\n"
)


def exported(day: str, requests: str, tokens: str, model: str = "gpt-4o-2024-08-06", key: str = "key_1") -> str:
    seconds = {"2026-11-30": 1795996800, "2026-12-01": 1796083200}[day]
    times = f"{seconds},{seconds + 86400},{day}T00:00:00+00:00,{day}T00:00:00+00:00"
    return f"{times},proj_1,{requests},user-1,{key},{model},FALSE,default,{tokens},0.0\n"


def page(*results: Mapping[str, object], start: object = 1795996800) -> str:
    bucket = {"object": "bucket", "start_time": start, "end_time": 1796083200, "results": results}
    return json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None})


def result(**changes: object) -> dict[str, object]:
    made = {"object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 500}
    return made | {"input_cached_tokens": 800, "num_model_requests": 5, "project_id": None, "model": "gpt-4o"} | changes


def problems(content: str | bytes) -> list[str]:
    with pytest.raises(UnreadableSheet) as refused:
        read_bill(content.encode() if isinstance(content, str) else content)
    return [str(problem) for problem in refused.value.problems]


def test_openais_export_is_added_up_by_day_and_model() -> None:
    lines = [
        exported("2026-11-30", "10.0", "59200.0,10646.0"),
        exported("2026-11-30", "1.0", "5783.0,16000.0", key="=a,formula"[:1]),
        exported("2026-12-01", "2.0", "7.0,8.0", model="gpt-5-mini"),
    ]
    read = read_bill((EXPORT + "".join(lines)).encode())
    assert read.measures == ("requests", "input_tokens", "output_tokens")
    assert read.operations == {Operation.CHAT}
    assert read.used == {
        (MONDAY, "gpt-4o-2024-08-06"): {"requests": 11, "input_tokens": 64983, "output_tokens": 26646},
        (TUESDAY, "gpt-5-mini"): {"requests": 2, "input_tokens": 7, "output_tokens": 8},
    }


def test_a_day_on_which_nothing_was_used_is_a_day_of_the_bill() -> None:
    nothing = "1796083200,1796169600,2026-12-01T00:00:00+00:00,2026-12-02T00:00:00+00:00,,,,,,,,,,\n"
    read = read_bill((EXPORT + exported("2026-11-30", "1.0", "2.0,3.0") + nothing).encode())
    assert (read.first_day, read.last_day) == (MONDAY, TUESDAY)
    assert len(read.used) == 1


@pytest.mark.parametrize(
    ("column", "written", "day"),
    [
        ("start_time", "1796083199", MONDAY),
        ("start_time", "1796083200", TUESDAY),
        ("start_time_iso", "2026-11-30T23:59:59+00:00", MONDAY),
        ("start_time_iso", "2026-12-01T00:00:00Z", TUESDAY),
        ("start_time_iso", "2026-12-01T07:59:59+08:00", MONDAY),
        ("start_time_iso", "2026-12-01T08:00:00+08:00", TUESDAY),
        ("start_time_iso", "2026-12-01", TUESDAY),
    ],
)
def test_a_day_is_one_of_utc(column: str, written: str, day: date) -> None:
    read = read_bill(f"{column},num_model_requests,model,input_tokens,output_tokens\n{written},1,m,2,3\n".encode())
    assert [found for found, _name in read.used] == [day]


def test_the_page_of_the_usage_api_is_read() -> None:
    read = read_bill(page(result(), result(project_id="p"), result(model="o3", output_tokens=0)).encode())
    assert read.operations == {Operation.CHAT}
    assert read.used == {
        (MONDAY, "gpt-4o"): {"requests": 10, "input_tokens": 2000, "output_tokens": 1000},
        (MONDAY, "o3"): {"requests": 5, "input_tokens": 1000, "output_tokens": 0},
    }


def test_a_bucket_without_results_is_a_day_of_the_bill() -> None:
    read = read_bill(page().encode())
    assert (read.first_day, read.used) == (MONDAY, {})


@pytest.mark.parametrize(
    "content",
    [
        "start_time,images,num_model_requests,source,size,model\n1795996800,4,3,image.generation,1024x1024,gpt-image-1\n",
        page(
            {"object": "organization.usage.images.result", "images": 4, "num_model_requests": 3, "model": "gpt-image-1"}
        ),
    ],
    ids=["csv", "json"],
)
def test_an_export_of_images_counts_images(content: str) -> None:
    read = read_bill(content.encode())
    assert (read.measures, read.operations) == (("requests", "images"), frozenset({Operation.IMAGE}))
    assert read.used == {(MONDAY, "gpt-image-1"): {"requests": 3, "images": 4}}


def test_an_export_without_output_does_not_say_whose_calls_it_lists_all_of() -> None:
    read = read_bill(b"start_time,num_model_requests,model,input_tokens\n1795996800,3,text-embedding-3-small,40\n")
    assert (read.measures, read.operations) == (("requests", "input_tokens"), frozenset())


@pytest.mark.parametrize("begin", ["", "\ufeff", "\n"], ids=["plainly", "byte order mark", "empty line"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_everyone_elses_bill_is_a_plain_table(begin: str, ends: str) -> None:
    content = begin + PLAIN.replace("output_tokens", "output_tokens,cost") + "2026-11-30,sage-1,3,400,50,1.25\n"
    read = read_bill(content.replace("\n", ends).encode())
    assert (read.measures, read.operations) == (("requests", "input_tokens", "output_tokens"), frozenset(Operation))
    assert read.used == {(MONDAY, "sage-1"): {"requests": 3, "input_tokens": 400, "output_tokens": 50}}


@pytest.mark.parametrize(
    "number", ["-1", "NaN", "Infinity", "1e308", "1.5", "9" * 16, "9" * 5000, "", "١٢", "0x10", "1,5"]
)
def test_what_is_no_count_is_named_by_line_and_column(number: str) -> None:
    quoted = f'"{number}"'
    (said,) = problems(PLAIN + f"2026-11-30,m,1,2,3\n2026-11-30,m,1,{quoted},3\n")
    assert said.startswith("Line 3, input_tokens: “")
    (said,) = problems(page(result(), result(output_tokens=number)))
    assert said.startswith("data[0].results[1].output_tokens: “")


@pytest.mark.parametrize("number", ["-1", "NaN", "1e308", "1.5", "9" * 5000, "null", "[1]", "{}", "true"])
def test_what_is_no_count_in_json_is_named_by_its_place(number: str) -> None:
    (said,) = problems(page(result(input_tokens="HERE")).replace('"HERE"', number))
    assert said.startswith("data[0].results[0].input_tokens: “")


@pytest.mark.parametrize(
    ("column", "written"),
    [
        ("start_time", "-1"),
        ("start_time", "0"),
        ("start_time", "999999999999999"),
        ("start_time", "2026-11-30"),
        ("start_time_iso", "0001-01-01T00:00:00+14:00"),
        ("start_time_iso", "9999-12-31T23:59:59-14:00"),
        ("start_time_iso", "yesterday"),
        ("start_time_iso", ""),
    ],
)
def test_a_time_that_cannot_be_is_named_by_line_and_column(column: str, written: str) -> None:
    head = f"{column},num_model_requests,model,input_tokens,output_tokens\n"
    (said,) = problems(head + f"{written},1,m,2,3\n")
    assert said.startswith(f"Line 2, {column}: “{written}” is no time of the years 2000 to 2099.")


@pytest.mark.parametrize("day", ["1999-12-31", "2100-01-01", "30.11.2026", "2026-02-30", ""])
def test_a_day_that_cannot_be_is_named_by_line_and_column(day: str) -> None:
    (said,) = problems(PLAIN + f"{day},m,1,2,3\n")
    assert said.startswith(f"Line 2, day: “{day}”")


def test_half_a_character_of_json_is_shown_as_a_question_mark() -> None:
    content = page(result(model="\ud800"), result(input_tokens="\ud800"), start="\ud800")
    said = problems(content)
    assert len(said) == 3
    assert all("“?”" in sentence for sentence in said)
    assert read_bill(page(result(model="\ud800")).encode()).used.keys() == {(MONDAY, "?")}


def test_an_export_that_is_not_grouped_by_model_says_what_to_do() -> None:
    assert problems(page(result(model=None))) == ["data[0].results[0].model: It is empty. Group the export by model."]
    assert problems(PLAIN + "2026-11-30,,1,2,3\n") == ["Line 2, model: It is empty. Group the export by model."]


@pytest.mark.parametrize("name", ["m" * 201, "a\u202eb", "a\u0007b", "a\nb"])
def test_a_name_that_no_model_has_is_refused(name: str) -> None:
    assert problems(page(result(model=name))) == ["data[0].results[0].model: No model has such a name."]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Line 1, day: This column is missing."),
        ("\n\n", "Line 1, day: This column is missing."),
        (PLAIN.replace(",model", ""), "Line 1, model: This column is missing."),
        ("start_time,num_model_requests,model,output_tokens\n", "Line 1, input_tokens: This column is missing."),
        ("num_model_requests,model,input_tokens\n", "Line 1, start_time: This column is missing."),
        ("start_time,amount_value,line_item\n1795996800,1.25,x\n", "Line 1, requests: This column is missing."),
        (PLAIN.replace("requests", "day"), "Line 1, day: This column stands there twice."),
        (PLAIN, "There is no line in it. Export days on which the models were used."),
        (PLAIN + "2026-11-30,m,1,2\n", "Line 2: This line has more or fewer columns than the first."),
        (PLAIN + "2026-11-30,=m,1,2,3\n", "Line 2, model: It begins like a formula of a spreadsheet."),
        (PLAIN + '2026-11-30,"m,1,2,3\n', "Line 2: This is not CSV from here on: unexpected end of data."),
        ('{"data": [', "Line 1: This is not JSON from here on: Expecting value."),
        ('{\n"data": [}', "Line 2: This is not JSON from here on: Expecting value."),
        ('{"data": [{"start_time": 1}]}', "This is no page of the Usage API"),
        ('{"data": {"a": 1}}', "This is no page of the Usage API"),
        ('{"data": [{"start_time": 1, "results": [7]}]}', "This is no page of the Usage API"),
        ('{"data": 7}', "This is no page of the Usage API"),
        ('{"data": []}', "There is no line in it."),
        ("[1, 2]", "This is no page of the Usage API"),
        ("[" * 100_000, "This is no page of the Usage API"),
        (PLAIN.replace(",", ";"), "Line 1: The first line must name the columns"),
        (PLAIN.encode("utf-16"), "Line 1: The file is not UTF-8."),
        (PLAIN.encode() + b"2026-11-30,m\xff,1,2,3\n", "Line 2: The file is not UTF-8."),
        (b"\x00" * 10, "Line 1, "),
        (b"0" * (LARGEST_BILL + 1), "The file is larger than 5 MB. Export fewer days."),
        (PLAIN + "2026-01-01,m,1,2,3\n2027-01-02,m,1,2,3\n", f"The file has more than {MOST_DAYS} days,"),
    ],
)
def test_what_is_no_bill_is_refused_with_the_place(content: str | bytes, said: str) -> None:
    assert any(problem.startswith(said) for problem in problems(content)), problems(content)


def test_more_lines_than_anybody_reads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bill, "MOST_LINES", 2)
    lines = [f"2026-11-30,m{n},1,2,3\n" for n in range(3)]
    assert read_bill((PLAIN + lines[0] + lines[1] + lines[1]).encode()).used
    assert "or 2 lines" in problems(PLAIN + "".join(lines))[0]


def test_sums_larger_than_any_column_of_ours_are_still_sums() -> None:
    line = f"2026-11-30,m,{'9' * 15},1,1\n"
    read = read_bill((PLAIN + line * 20_000).encode())
    assert read.used[MONDAY, "m"]["requests"] == 20_000 * (10**15 - 1)
