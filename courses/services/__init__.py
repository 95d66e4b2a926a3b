"""Writes of courses: who is in them, and how much AI they allow. The one door for pages, admin, API and commands."""

from courses.services.assignments import (
    create_assignment,
    create_exam,
    delete_assignment,
    end_exam,
    except_from_exam,
    move_assignment,
    withdraw_exception,
)
from courses.services.courses import create_course, delete_course, update_course
from courses.services.permissions import ask_permission, decide_permission, withdraw_permission
from courses.services.rosters import enroll, import_roster, remove_enrollment
from courses.services.rules import accept_rule, check_exams, check_rules, check_running, publish_rule
from courses.services.terms import remove_term, save_term

__all__ = [
    "accept_rule",
    "ask_permission",
    "check_exams",
    "check_rules",
    "check_running",
    "create_assignment",
    "create_course",
    "create_exam",
    "decide_permission",
    "delete_assignment",
    "delete_course",
    "end_exam",
    "enroll",
    "except_from_exam",
    "import_roster",
    "move_assignment",
    "publish_rule",
    "remove_enrollment",
    "remove_term",
    "save_term",
    "update_course",
    "withdraw_exception",
    "withdraw_permission",
]
