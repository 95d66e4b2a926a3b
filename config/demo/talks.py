"""What the demo student asked this month, and what came back. The newest talk stands last."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation: its course by code, or "", and its turns of question and answer."""

    course: str
    turns: tuple[tuple[str, str], ...]


TALKS = (
    Talk(
        "COMP1117",
        (
            (
                "Why does my recursive factorial in Python stop with RecursionError?",
                (
                    "Because nothing tells it to stop. A recursive function needs a **base case**, an input it answers "
                    "without calling itself:\n\n"
                    "```python\n"
                    "def factorial(n: int) -> int:\n"
                    "    if n <= 1:          # the base case\n"
                    "        return 1\n"
                    "    return n * factorial(n - 1)\n"
                    "```\n\n"
                    "Check two things in yours: that there is such a line, and that every call comes closer to it. "
                    "`factorial(n)` inside `factorial(n)` never gets closer."
                ),
            ),
            (
                "And how many calls does factorial(n) make?",
                (
                    "Exactly $n$ for $n \\ge 1$: one each for $n, n-1, \\dots, 1$. So the time grows like $O(n)$, and "
                    "so does the memory, because every call waits for the one below it. Python gives up at a depth "
                    "of about 1,000; a loop has no such limit."
                ),
            ),
            (
                "Show me the loop, please, and a test for both.",
                (
                    "```python\n"
                    "def factorial_loop(n: int) -> int:\n"
                    "    result = 1\n"
                    "    for k in range(2, n + 1):\n"
                    "        result *= k\n"
                    "    return result\n\n\n"
                    "def test_both_agree() -> None:\n"
                    "    for n in range(20):\n"
                    "        assert factorial(n) == factorial_loop(n)\n"
                    "```\n\n"
                    "If you hand in work that grew out of this chat, say so as the rule of your course asks."
                ),
            ),
        ),
    ),
    Talk(
        "HIST2021",
        (
            (
                "What should I look at first when I compare two maps of Victoria Harbour from 1845 and 1945?",
                (
                    "Start with what each map was *for*; that decides what it leaves out.\n\n"
                    "1. **Maker and purpose.** An Admiralty chart cares about depths, a land survey about lots.\n"
                    "2. **Shoreline.** Trace one stretch, such as Central, on both; the difference is reclamation.\n"
                    "3. **Names.** Who named the streets, and in which language?\n"
                    "4. **Silences.** Which villages are missing, and would the maker have known them?\n\n"
                    "Cite the maps from the archive's own catalog. I can be wrong about dates, so check each there."
                ),
            ),
            (
                "把上面四點用中文總結成一句話。",
                "比較兩張地圖時，先問誰為了甚麼而畫，再看海岸線、地名和刻意留白之處各有甚麼不同。",
            ),
        ),
    ),
    Talk(
        "",
        (
            (
                "幫我計劃三個晚上溫習期中考：迴圈、串列和函式。",
                (
                    "| 晚上 | 題目 | 做甚麼 |\n"
                    "|---|---|---|\n"
                    "| 一 | 迴圈 | 先用紙筆做五題短習題，再執行一次 |\n"
                    "| 二 | 串列 | 自己寫 `max`、`sum` 和 `reverse` |\n"
                    "| 三 | 函式 | 兩小時內做去年的試卷，不找幫手 |\n\n"
                    "每做完一題就停一停，說出聲：如果輸入是空的，會有甚麼不同？"
                ),
            ),
        ),
    ),
    Talk(
        "COMP1117",
        (
            (
                "What is the difference between a list and a tuple?",
                (
                    "A list can change after it is made, a tuple cannot:\n\n"
                    "```python\n"
                    "marks = [71, 64]\n"
                    "marks.append(80)     # fine\n"
                    "point = (3, 4)\n"
                    "point[0] = 5         # TypeError\n"
                    "```\n\n"
                    "Use a tuple for a few values that belong together, such as a point; a list for many of one sort."
                ),
            ),
            (
                "那么，哪一个可以做字典的键？请用简体中文回答。",
                "元组可以，只要它里面的值也都不会变。键需要一个始终不变的散列值，而列表没有。",
            ),
        ),
    ),
)
