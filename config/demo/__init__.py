"""Harbour University, which does not exist: the people, courses and weeks of use that a first look needs.

people     who they are and what they take part in
talks      what the demo student talked about
prompts    what is saved to begin with
story      tells it all through the same services that real use goes through
"""
