"""Saved prompts of the demo: beginnings for everyone in three languages, those of two courses, one of the student's."""

from chat.types import PromptWording


def _prompt(command: str, title: str, text: str) -> PromptWording:
    return PromptWording(command=command, title=title, text=text)


STARTERS = 3  # of those for everyone, how many stand on the empty page
# By the language of who is offered them.
OF_EVERYONE = {
    "en": (
        _prompt(
            "explain",
            "Explain it another way",
            "Explain this another way, with one everyday example. I got lost where it says:\n\n{{passage}}",
        ),
        _prompt(
            "check",
            "Check my reasoning",
            "Here are my steps. Which is the first one that fails, and why? Do not give me the answer.\n\n{{my steps}}",
        ),
        _prompt(
            "draft",
            "Improve my draft",
            "Name three weak points of this draft and a question that would help me mend each. Do not rewrite it."
            "\n\n{{draft}}",
        ),
        _prompt(
            "quiz",
            "Quiz me",
            "Ask me five questions about {{topic}} in one list. When I have answered, tell me what is missing.",
        ),
    ),
    "zh-hant": (
        _prompt(
            "解釋", "換個方式解釋", "請換個方式解釋以下內容，並舉一個日常生活的例子。我從這裏開始不明白：\n\n{{段落}}"
        ),
        _prompt("檢查", "檢查我的推論", "以下是我的步驟。最先出錯的是哪一步？為甚麼？請不要給我答案。\n\n{{步驟}}"),
        _prompt(
            "修改",
            "改善我的草稿",
            "請指出這份草稿的三個弱點，並就每點提出一個能幫助我修改的問題。請不要代我改寫。\n\n{{草稿}}",
        ),
        _prompt("測驗", "考考我", "請一次過列出五條關於{{主題}}的問題。我作答後，請告訴我欠缺了甚麼。"),
    ),
    "zh-hans": (
        _prompt(
            "解释", "换个方式解释", "请换个方式解释以下内容，并举一个日常生活的例子。我从这里开始不明白：\n\n{{段落}}"
        ),
        _prompt("检查", "检查我的推理", "以下是我的步骤。最先出错的是哪一步？为什么？请不要给我答案。\n\n{{步骤}}"),
        _prompt(
            "修改",
            "改进我的草稿",
            "请指出这份草稿的三个弱点，并针对每一点提出一个能帮助我修改的问题。请不要代我改写。\n\n{{草稿}}",
        ),
        _prompt("测验", "考考我", "请一次列出五个关于{{主题}}的问题。我作答后，请告诉我还缺少什么。"),
    ),
}

OF_COURSES = {
    "COMP1117": (
        _prompt(
            "trace",
            "Trace my code",
            "Trace this code line by line for the input {{input}} and put the values of the variables into a table. "
            "Do not mend it.\n\n{{code}}",
        ),
        _prompt(
            "hint",
            "A hint, not a solution",
            "I work on {{exercise}}. Give me one hint, not the solution. So far I tried:\n\n{{what I tried}}",
        ),
    ),
    "GEOG2090": (_prompt("出处", "核对数据", "以下数据应当到哪些统计部门的原始出处核对？请逐项列出。\n\n{{数据}}"),),
}

OF_THE_STUDENT = _prompt(
    "sum", "Three sentences", "Sum this up in three sentences, and say what you left out.\n\n{{text}}"
)
