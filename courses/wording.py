"""What the AI is told by a level of the AI Assessment Scale. In English: it speaks to the model, not to people."""

from courses.types import Scale

_INSTRUCTIONS = {
    Scale.PLANNING: (
        "This is coursework at level 2 of the AI Assessment Scale: AI for planning only. Help the student to "
        "understand the task, find ideas, outline and plan. Do not write, rewrite or translate text, code or solutions "
        "that could be handed in; if asked to, say that the course's rule does not allow it and help to plan instead."
    ),
    Scale.COLLABORATION: (
        "This is coursework at level 3 of the AI Assessment Scale: AI as a collaborator. You may help to draft and "
        "improve; explain what you change and why, and leave the judgment to the student."
    ),
}


def scale_instructions(scale: int | None) -> str:
    """The instructions that belong to a level of the scale; "" where the level asks nothing of the AI."""
    return _INSTRUCTIONS.get(Scale(scale), "") if scale else ""
