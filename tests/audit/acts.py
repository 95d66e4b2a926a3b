"""Every act of office, and what the log says once it is done: the table that test_every_act.py goes through.

A door is a method and a route as the URL configuration and matrix.txt have them; what follows a "?" is sent with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.models import WORDINGS


@dataclass(frozen=True, slots=True)
class Act:
    """One act, done as a person or her program does it.

    Args:
        door: where.
        recorded: the acts the log then has more, the earliest first; "" where nothing is done.
        sent: the body; "{name}" in it is filled in from the things of the world.
        who: one of `PEOPLE`; "" for the teacher at the doors of teachers and the administrator at all others.
        after: what the same person must have done before.
    """

    door: str
    recorded: str
    sent: Mapping[str, object] = field(default_factory=dict)
    who: str = ""
    after: "Act | None" = None

    @property
    def by(self) -> str:
        """Who does it."""
        return self.who or ("instructor" if "/review/" in self.door else "administrator")


_REASON = {"reason": "Because"}
_COURSE = {"title": "Biology", "term": "", "department": "", "starts_on": "2098-09-01", "ends_on": "2098-12-20"}
_TERM = {"name": "Spring", "starts_on": "2098-01-01", "ends_on": "2098-06-01"}
_WORDING = dict.fromkeys(WORDINGS, "New words") | {"change_note": "", "asks_again": "yes"}
_NOTICE = {"level": "info", "starts_at": "2098-01-01T08:00", "text_en": "a", "text_zh_hant": "a", "text_zh_hans": "a"}
_PROMPT = {"title": "Compare", "command": "compare", "text": "Compare these."}
_PEOPLE_FILE = {"text": "email,name,role,department\nnew@example.edu,Neo,student,\n"}
_ROSTER = {"text": "email,role\nomar@example.edu,student\n"}
_RULES_FILE = {"text": "for,who,limit\nrole,student,7\n", **_REASON}
_RULE = {"role": "student", "limit": "9", "unit": "prompts", "period": "month", **_REASON}
_GIFT = {"course": "{code}", "amount": "2", "unit": "prompts", **_REASON}
_MODEL = {
    "name": "m",
    "label": "M",
    "operation": "chat",
    "data_class": "public",
    "prompt_weight": "2",
    "position": "0",
    "routes-TOTAL_FORMS": "1",
    "routes-INITIAL_FORMS": "0",
    "routes-0-upstream": "{upstream_id}",
    "routes-0-upstream_name": "m",
    "routes-0-position": "0",
    "routes-0-weight": "1",
}
_ADDRESS = {"name": "second", "base_url": "https://ai.example.edu/v1", "is_enabled": "on"}
_PROVIDER = {"name": "Ours", "slug": "ours", "kind": "compatible", "is_enabled": "on"}

_SUSPENSION = Act("POST /manage/people/<user_id>/suspend/", "person.suspend", _REASON)
_PERMISSION = Act("POST /review/<code>/permissions/<permission_id>/", "course.decide_permission", {"decision": "give"})

PAGES = [
    # people
    Act("POST /manage/people/<user_id>/", "person.change", {"name": "S. Chan", "role": "staff", "department": ""}),
    _SUSPENSION,
    Act("POST /manage/people/<user_id>/restore/", "person.restore", after=_SUSPENSION),
    Act("POST /manage/people/<user_id>/sign-out/", "person.end_sessions"),
    Act("POST /manage/people/<user_id>/keys/", "person.revoke_key", {"key": "{key_id}"}),
    Act("POST /manage/people/<user_id>/keys/", "person.revoke_keys", {"key": "all"}),
    Act("POST /manage/people/import/", "", _PEOPLE_FILE),
    Act("POST /manage/people/import/", "people.import", _PEOPLE_FILE | {"confirm": "1"}),
    # terms and courses
    Act("POST /manage/terms/", "term.create", {"code": "2098", **_TERM}),
    Act("POST /manage/terms/<term_id>/", "term.change", _TERM),
    Act("POST /manage/terms/<term_id>/remove/", "term.delete"),
    Act("POST /manage/courses/", "course.create", {"code": "BIOL1000", **_COURSE}),
    Act("POST /manage/courses/<code>/", "course.change", _COURSE),
    Act("POST /manage/courses/<code>/roster/", "", _ROSTER),
    Act("POST /manage/courses/<code>/roster/", "course.import_roster", _ROSTER | {"confirm": "1"}),
    # quotas
    Act("POST /manage/quotas/", "", _RULE),
    Act("POST /manage/quotas/", "quota.set", _RULE | {"confirm": "1"}),
    Act("POST /manage/quotas/<quota_id>/undo/", "quota.set"),
    Act("POST /manage/quotas/<quota_id>/withdraw/", "quota.withdraw", _REASON),
    Act("POST /manage/quotas/import/", "", _RULES_FILE),
    Act("POST /manage/quotas/import/", "quotas.import", _RULES_FILE | {"confirm": "1"}),
    Act("POST /manage/requests/", "quota.grant", _GIFT),
    Act("POST /review/requests/", "quota.grant", _GIFT),
    Act("POST /manage/requests/limits/", "approvers.limit", {"unit": "prompts", "amount": "5", "a_month": "50"}),
    Act("POST /requests/<request_id>/", "quota.grant request.decide", {"amount": "2"}, "instructor"),
    Act("POST /requests/<request_id>/", "request.decide", {"refuse": "1", "answer": "Not now"}, "instructor"),
    Act("POST /requests/<request_id>/", "quota.grant request.decide", {"amount": "2"}),
    Act(
        "POST /manage/pools/",
        "quota.set pool.set pool.fill",
        {"course": "{code}", "unit": "prompts", "amount": "9", "cap": "3", "when_empty": "refuse", **_REASON},
    ),
    Act("POST /manage/offers/", "offer.set", {"unit": "prompts", "amount": "70", "price": "9", "is_enabled": "on"}),
    # clauses, notices, holds, prompts for everyone
    Act("POST /manage/clauses/<clause_id>/draft/", "clause.draft", _WORDING),
    Act("POST /manage/clauses/versions/<version_id>/", "clause.change_draft", _WORDING),
    Act("POST /manage/clauses/versions/<version_id>/publish/", "clause.publish"),
    Act("POST /manage/clauses/versions/<version_id>/discard/", "clause.discard"),
    Act("POST /manage/notices/new/", "notice.create", _NOTICE),
    Act("POST /manage/notices/<notice_id>/", "notice.change", _NOTICE),
    Act("POST /manage/notices/<notice_id>/end/", "notice.end"),
    Act("POST /manage/holds/new/", "hold.place", {"person": "omar@example.edu", "case": "42", **_REASON}),
    Act("POST /manage/holds/<hold_id>/", "hold.end", _REASON),
    Act("POST /manage/prompts/", "prompt.create", _PROMPT),
    Act("POST /manage/prompts/<common_prompt_id>/", "prompt.change", _PROMPT),
    Act("POST /manage/prompts/<common_prompt_id>/remove/", "prompt.remove"),
    # models, providers, alarms
    Act("POST /manage/models/new/", "model.create", _MODEL),
    Act("POST /manage/models/<model_id>/", "model.change", _MODEL),
    Act(
        "POST /manage/providers/new/",
        "provider.create upstream.create upstream.set_credential",
        _PROVIDER | {f"address-{name}": value for name, value in _ADDRESS.items()} | {"address-credential": "secret"},
    ),
    Act("POST /manage/providers/<provider_id>/", "provider.change", _PROVIDER | {"kind": "openai"}),
    Act("POST /manage/providers/<provider_id>/addresses/new/", "upstream.create", _ADDRESS),
    Act(
        "POST /manage/providers/addresses/<upstream_id>/",
        "upstream.change upstream.set_credential",
        _ADDRESS | {"credential": "secret"},
    ),
    Act("POST /manage/providers/addresses/<upstream_id>/test/", "upstream.test"),
    Act("POST /manage/providers/addresses/<upstream_id>/forget/", "upstream.set_credential"),
    Act("POST /manage/alarms/rules/", "budget.set", {"provider": "", "amount": "100"}),
    Act("POST /manage/alarms/seen/", "alarm.see", {"alarm": "{alarm_id}"}),
    Act("POST /manage/alarms/seen/", "alarm.see", {"alarm": "all"}),
    # teaching
    Act("POST /review/<code>/rule/", "course.publish_rule", {"approach": "prohibited", "readers": "nobody"}),
    Act(
        "POST /review/<code>/rule/<assignment>/", "course.publish_rule", {"approach": "prohibited", "readers": "nobody"}
    ),
    Act(
        "POST /review/<code>/assignments/",
        "course.create_assignment",
        {"code": "A2", "title": "Second", "opens_at": "2098-09-01T08:00", "due_at": "2098-10-01T08:00"},
    ),
    Act("POST /review/<code>/assignments/<assignment>/remove/", "course.delete_assignment"),
    Act(
        "POST /review/<code>/exams/",
        "course.create_exam",
        {"title": "Final", "starts_at": "2098-12-01T08:00", "ends_at": "2098-12-01T10:00"},
    ),
    Act("POST /review/<code>/exams/<exam_id>/end/", "course.end_exam"),
    Act(
        "POST /review/<code>/exams/<exam_id>/exceptions/",
        "course.except_from_exam",
        {"email": "sara@example.edu", **_REASON},
    ),
    Act("POST /review/<code>/exceptions/<exception_id>/remove/", "course.withdraw_exception"),
    _PERMISSION,
    Act(_PERMISSION.door, "course.decide_permission", {"decision": "decline", "answer": "No"}),
    Act(_PERMISSION.door, "course.withdraw_permission", {"decision": "withdraw", "answer": "No"}, after=_PERMISSION),
    Act("POST /review/<code>/prompts/", "prompt.create", _PROMPT),
    Act("POST /review/<code>/prompts/<course_prompt_id>/", "prompt.change", _PROMPT),
    Act("POST /review/<code>/prompts/<course_prompt_id>/remove/", "prompt.remove"),
    Act("POST /review/<code>/chats/<conversation_id>/", "chat.open", {"reason": "help", "note": "She asked for it"}),
]

PROGRAMS = [
    Act("POST /api/people/", "person.create", {"email": "new@example.edu", "name": "Neo", "role": "student"}),
    Act("PATCH /api/people/<pk>/", "person.change", {"role": "staff"}),
    Act("PATCH /api/people/<pk>/", "person.suspend", {"is_active": False}),
    Act("PATCH /api/people/<pk>/", "person.restore", {"is_active": True}, after=_SUSPENSION),
    Act("POST /api/keys/", "person.create_key", {"name": "notebook"}),
    Act("DELETE /api/keys/<pk>/", "person.revoke_key", who="student"),  # everybody's own, and recorded of everybody
    Act("POST /api/terms/", "term.create", {"code": "2098", **_TERM}),
    Act("PATCH /api/terms/<code>/", "term.change", {"name": "Spring"}),
    Act("DELETE /api/terms/<code>/", "term.delete"),
    Act("POST /api/courses/", "course.create", {"code": "BIOL1000", **_COURSE, "department": None}),
    Act("PATCH /api/courses/<code>/", "course.change", {"title": "Biology"}),
    Act("POST /api/enrollments/", "course.enroll", {"course": "{code}", "person": "omar@example.edu"}),
    Act("DELETE /api/enrollments/<pk>/", "course.remove"),
    Act("POST /api/quotas/", "quota.set", {"limit": 9, "role": "student", **_REASON}),
    Act("DELETE /api/quotas/<pk>/?reason=Because", "quota.withdraw"),
    Act("POST /api/grants/", "quota.grant", {"person": "sara@example.edu", "amount": 2, **_REASON}),
    Act("POST /api/requests/<pk>/decide/", "quota.grant request.decide", {"decision": "grant", "amount": 2}),
    Act("POST /api/requests/<pk>/decide/", "request.decide", {"decision": "refuse", "answer": "No"}, "instructor"),
    Act("POST /api/pools/", "pool.set", {"course": "{code}"}),
    Act("POST /api/pools/<code>/fill/", "pool.fill", {"amount": 9, **_REASON}),
    Act("POST /api/offers/", "offer.set", {"amount": 70, "price_micro": 9}),
    Act("POST /api/models/", "model.create", {"name": "m", "label": "M", "operation": "chat", "routes": []}),
    Act("PATCH /api/models/<pk>/", "model.change", {"label": "M"}),
    Act("PATCH /api/providers/<pk>/", "provider.change", {"name": "Ours"}),
]

EXPORTS = [
    Act("GET /manage/people/?format=csv", "people.export"),
    Act("GET /manage/terms/?format=csv", "terms.export"),
    Act("GET /manage/courses/?format=csv", "courses.export"),
    Act("GET /manage/courses/<code>/?format=csv", "roster.export"),
    Act("GET /manage/quotas/?format=csv", "quotas.export"),
    Act("GET /manage/requests/?format=csv", "requests.export"),
    Act("GET /review/requests/?format=csv", "requests.export"),
    Act("GET /manage/pools/?format=csv", "pools.export"),
    Act("GET /manage/offers/?format=csv", "offers.export"),
    Act("GET /manage/clauses/?format=csv", "clauses.export"),
    Act("GET /manage/clauses/<clause_id>/accepted/?format=csv", "acceptances.export"),
    Act("GET /manage/notices/?format=csv", "notices.export"),
    Act("GET /manage/holds/?format=csv", "holds.export"),
    Act("GET /manage/models/?format=csv", "models.export"),
    Act("GET /manage/models/opinions/?format=csv", "opinions.export"),
    Act("GET /manage/prompts/?format=csv", "prompts.export"),
    Act("GET /manage/prompts/<common_prompt_id>/?format=csv", "prompts.export"),
    Act("GET /manage/providers/?format=csv", "providers.export"),
    Act("GET /manage/alarms/?format=csv", "alarms.export"),
    Act("GET /manage/usage.csv", "usage.export"),
    Act("GET /manage/usage/calls.csv", "usage.export"),
    Act("GET /manage/audit/?format=csv", "audit.export"),
    Act("GET /review/<code>/weeks.csv", "course.export"),
    Act("GET /review/<code>/people.csv", "course.export"),
    Act("GET /review/<code>/permissions/?format=csv", "permissions.export"),
]

# Of Django's admin, what is neither a table that audit.admin records by itself nor what a page above does too.
ADMIN = [
    Act("POST /admin/courses/course/<unused_course_id>/delete/", "course.delete", {"post": "yes"}),
    Act(
        "POST /admin/courses/course/",
        "course.delete",
        {"action": "delete_selected", "_selected_action": "{unused_course_id}", "post": "yes"},
    ),
    Act("POST /admin/courses/enrollment/<enrollment_id>/delete/", "course.remove", {"post": "yes"}),
    Act("POST /admin/mfa/authenticator/<authenticator_id>/delete/", "authenticator.delete", {"post": "yes"}),
    Act(
        "POST /admin/account/emailaddress/",
        "emailaddress.change",
        {"action": "make_verified", "_selected_action": "{address_id}"},
    ),
]

ACTS = [*PAGES, *PROGRAMS, *EXPORTS, *ADMIN]

# Doors that are no acts of office, and why.
EXEMPT = {
    "POST /manage/alarms/mail/": "whether I get alarms by mail is my own taste",
    "POST /manage/audit/verify/": "reads the log and writes nothing",
    "POST /manage/usage/bill/": "compares a file with the records and writes nothing",
    "POST /reports/": "what I get by mail is my own taste",
    "POST /reports/<token>/": "what I get by mail is my own taste",
    "POST /api/me/acknowledgments/": "I accept for myself; the acceptance is its own evidence",
    "POST /api/requests/": "I ask for myself; who decides it acts",
    "DELETE /api/requests/<pk>/": "I take back what I asked for myself",
    "POST /api/purchases/": "I buy for myself; the payment is recorded when it is booked",
    "POST /api/<rest>": "nothing is there",
    "PUT /api/<rest>": "nothing is there",
    "PATCH /api/<rest>": "nothing is there",
    "DELETE /api/<rest>": "nothing is there",
}
