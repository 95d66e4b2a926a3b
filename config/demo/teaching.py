"""How much AI the demo courses allow, what their students hand in, and what they asked their teachers for.

Each course has a rule of another kind, in the language its teacher writes in.
"""

from dataclasses import dataclass
from datetime import timedelta

from core.types import Operation
from courses.types import Approach, Readers, RuleWording, Scale

_EVERY_TOOL = [Operation.CHAT.value, Operation.IMAGE.value]


@dataclass(frozen=True, slots=True)
class DemoAssignment:
    """A piece of work, due so long after now; with a rule of its own, or without."""

    code: str
    title: str
    due: timedelta
    rule: RuleWording | None = None


@dataclass(frozen=True, slots=True)
class DemoTeaching:
    """What the teacher of a course published."""

    teacher: str
    rule: RuleWording
    assignments: tuple[DemoAssignment, ...] = ()


TEACHING = {
    "COMP1117": DemoTeaching(
        "instructor",
        RuleWording(
            approach=Approach.ACKNOWLEDGMENT,
            scale=Scale.COLLABORATION,
            allowed_tools=[Operation.CHAT.value],
            note="Ask as you would ask a tutor. What you hand in you must be able to explain line by line.",
            declaration="Name the tool, the date and what it did, in a comment at the top of the file.",
            instructions="Give hints and small examples, never a whole solution of an assignment.",
            readers=Readers.INSTRUCTORS,
        ),
        (
            DemoAssignment("A1", "A calculator for the Octopus card", timedelta(days=-10)),
            DemoAssignment(
                "A2",
                "Sudoku by backtracking",
                timedelta(days=12),
                RuleWording(
                    approach=Approach.ACKNOWLEDGMENT,
                    scale=Scale.PLANNING,
                    allowed_tools=[Operation.CHAT.value],
                    note="For planning only: the code of this assignment is your own.",
                    declaration="Attach the chat in which you planned.",
                    readers=Readers.INSTRUCTORS,
                ),
            ),
        ),
    ),
    "HIST2021": DemoTeaching(
        "wk.tam",
        RuleWording(
            approach=Approach.PERMISSION,
            scale=Scale.PLANNING,
            allowed_tools=_EVERY_TOOL,
            note="Tell me first what for. Most questions about sources get a yes within a day.",
        ),
        (DemoAssignment("ESSAY", "One shoreline on two maps", timedelta(days=20)),),
    ),
    "CHIN1301": DemoTeaching(
        "wk.tam",
        RuleWording(
            approach=Approach.PROHIBITED,
            scale=Scale.NONE,
            note="本科練的是自己的筆。堂課和功課一律不得使用生成式人工智能；查字典可以。",
        ),
        (DemoAssignment("W1", "記敘文：我住的那條街", timedelta(days=6)),),
    ),
    "GEOG2090": DemoTeaching(
        "p.fernandes",
        RuleWording(
            approach=Approach.FREE,
            scale=Scale.EXPLORATION,
            allowed_tools=_EVERY_TOOL,
            note="欢迎使用，并请在课堂上分享您的做法。数据必须核对统计部门的原始出处。",
        ),
    ),
}

# Who asked to use AI in HIST2021, what for, and the teacher's answer; None while it waits.
PERMISSIONS: tuple[tuple[str, str, tuple[bool, str] | None], ...] = (
    (
        "student",
        "I want to compare the legends of two maps and check my reading of them.",
        (True, "Yes. Say so in a footnote."),
    ),
    ("nt.chu", "我想請它解釋 1863 年測量圖上的縮寫，然後自己再查檔案。", None),
    (
        "cm.pang",
        "To write the introduction of my essay.",
        (False, "The introduction is yours. Come and see me about it."),
    ),
)
# Who asked for more prompts: who, how many, in which course, what for.
WISHES = (
    ("tk.tsang", 15, "COMP1117", "Our team prepares the regional contest until the end of the month."),
    ("yl.szeto", 10, "COMP1117", "期中考前想多做練習，想請它逐步批改我的迴圈題。"),
    ("w.zhang", 5, "", "想把论文摘要翻译成英文，再自己修改。"),
)
POOL = ("HIST2021", 200, 15)  # the course, the prompts in it, and the most for one person
EXAM = ("COMP1117", "Mid-term quiz", timedelta(days=3), timedelta(hours=2))
EXCEPTION = ("ky.wong@example.edu", "Works with a screen reader; the helper is part of the arrangement.")
