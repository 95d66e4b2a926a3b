"""Reading courses, who is in them, and how much AI they allow."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from accounts.types import Principal, Role
from core import clock
from core.errors import NotFound
from core.text import one_line
from courses.models import (
    Assignment,
    Course,
    CourseRule,
    Enrollment,
    ExamException,
    ExamWindow,
    Permission,
    RuleAcceptance,
    Term,
)
from courses.types import Approach, CourseRole, Readers, Tag


@dataclass(frozen=True, slots=True)
class CourseChoice:
    """What a person may tag a call with, and what the rules there ask of them.

    Args:
        rules: those in force, the course's own first.
        unread: those of them the person has still to accept.
        is_bound: whether the rules bind the person; they bind students only.
        is_permitted: a teacher gave the permission that an “only with permission” rule wants.
    """

    course: Course
    assignment: Assignment | None
    rules: tuple[CourseRule, ...]
    unread: tuple[CourseRule, ...]
    is_bound: bool
    is_permitted: bool

    @property
    def tag(self) -> str:
        """As calls name it."""
        return str(Tag(self.course.code, self.assignment.code if self.assignment else ""))

    @property
    def title(self) -> str:
        """What people call it."""
        return self.assignment.title if self.assignment else self.course.title

    @property
    def rule(self) -> CourseRule | None:
        """The rule that says most about it: the assignment's own, else the course's."""
        return self.rules[-1] if self.rules else None

    @property
    def is_refused(self) -> bool:
        """Whether a rule forbids AI here whatever the person does."""
        return self.is_bound and any(rule.approach == Approach.PROHIBITED for rule in self.rules)

    @property
    def lacks_permission(self) -> bool:
        """Whether a teacher's permission is wanted and not there."""
        wanted = any(rule.approach == Approach.PERMISSION for rule in self.rules)
        return self.is_bound and wanted and not self.is_permitted

    @property
    def is_readable(self) -> bool:
        """Whether the course's teachers may open a chat that is begun here."""
        return any(rule.readers == Readers.INSTRUCTORS for rule in self.rules if rule.assignment_id is None)


def find_course_of(*, user_id: int, code: str) -> Course | None:
    """The course of that code, if the person is enrolled in it in any role."""
    return Course.objects.filter(code=code, enrollments__user_id=user_id).first()


def find_place(*, user_id: int, code: str) -> Enrollment | None:
    """The person's place in the course of that code, with the course, if there is one."""
    return Enrollment.objects.select_related("course").filter(user=user_id, course__code=code).first()


def list_courses_of(user_id: int) -> list[Course]:
    """The courses the person is enrolled in, in any role, by code."""
    return list(Course.objects.filter(enrollments__user_id=user_id).order_by("code"))


def list_taught_courses(user_id: int) -> list[Course]:
    """The courses the person teaches now, by code; assisting is not teaching."""
    return list(_taught_by(user_id).order_by("code"))


def access_taught_course(*, user_id: int, code: str) -> Course:
    """The course of that code, if the person teaches it at this moment.

    Raises:
        NotFound: there is none, or the person does not teach it: the two look the same.
    """
    course = _taught_by(user_id).filter(code=code).first()
    if course is None:
        raise NotFound(_("There is no course %(code)s among those you teach.") % {"code": code})
    return course


def get_course(code: str) -> Course:
    """The course of that code, in any case.

    Raises:
        NotFound: there is none.
    """
    course = Course.objects.select_related("department").filter(code=code.strip().upper()).first()
    if course is None:
        raise NotFound(_("There is no course %(code)s.") % {"code": code.strip()})
    return course


def list_courses(search: str = "", department: str = "", state: str = "") -> QuerySet[Course]:
    """Courses whose code, title or term contains `search`, each with `people`, the number of its enrollments.

    Args:
        department: its code.
        state: "running", "over" or "to_come", today.
    """
    places = Enrollment.objects.filter(course=OuterRef("pk")).order_by().values("course")
    people = Coalesce(Subquery(places.annotate(people=Count("id")).values("people")), 0)
    courses = Course.objects.select_related("department").annotate(people=people).order_by("code")
    if wanted := one_line(search):
        courses = courses.filter(Q(code__icontains=wanted) | Q(title__icontains=wanted) | Q(term__icontains=wanted))
    if department:
        courses = courses.filter(department__code=department)
    return courses.filter(_is_in(state))


def find_terms(search: str = "", state: str = "") -> QuerySet[Term]:
    """The university's terms whose code or name contains `search`, for a list; `state` as for courses."""
    terms = Term.objects.all()
    if wanted := one_line(search):
        terms = terms.filter(Q(code__icontains=wanted) | Q(name__icontains=wanted))
    return terms.filter(_is_in(state))


def _is_in(state: str) -> Q:
    """What is "running", "over" or "to_come" today; with "" no matter when it runs."""
    today = clock.local_day(clock.now())
    when = {
        "running": Q(starts_on__lte=today, ends_on__gte=today),
        "over": Q(ends_on__lt=today),
        "to_come": Q(starts_on__gt=today),
    }
    return when.get(state, Q())


def get_term(term_id: int) -> Term:
    """One term.

    Raises:
        NotFound: there is none by that id.
    """
    term: Term | None = Term.objects.filter(pk=term_id).first()
    if term is None:
        raise NotFound
    return term


def list_terms() -> list[Term]:
    """The university's terms, in order of time."""
    return list(Term.objects.order_by("starts_on"))


def list_enrollments(course_id: int, search: str = "", role: str = "", section: str = "") -> QuerySet[Enrollment]:
    """Who is in the course, by name; with the person and the department. Narrowed by name or e-mail, role, section."""
    places = Enrollment.objects.filter(course=course_id).select_related("user__department")
    if wanted := one_line(search):
        places = places.filter(Q(user__name__icontains=wanted) | Q(user__email__icontains=wanted))
    narrowed = {name: value for name, value in (("role", role), ("section", one_line(section))) if value}
    return places.filter(**narrowed).order_by("user__name", "user__email")


def count_places(courses: Iterable[Course]) -> int:
    """How many places people have in these courses."""
    return Enrollment.objects.filter(course__in=courses).count()


def list_visible_courses(principal: Principal) -> QuerySet[Course]:
    """The courses this person may see: administrators all, anybody else those they are in."""
    courses = Course.objects.select_related("department")
    return courses if principal.role == Role.ADMIN else courses.filter(enrollments__user_id=principal.user_id)


def list_visible_enrollments(principal: Principal, *, course: str = "") -> QuerySet[Enrollment]:
    """The enrollments this person may see: administrators all, teachers their courses', anybody their own.

    Args:
        course: a course's code, to narrow.
    """
    enrollments = Enrollment.objects.select_related("course", "user")
    if principal.role != Role.ADMIN:
        taught = Q(course__in=_taught_by(principal.user_id))
        enrollments = enrollments.filter(taught | Q(user_id=principal.user_id))
    return enrollments.filter(course__code=course) if course else enrollments


def _taught_by(user_id: int) -> QuerySet[Course]:
    return Course.objects.filter(enrollments__user_id=user_id, enrollments__role=CourseRole.INSTRUCTOR)


# ---- the AI rule -----------------------------------------------------------------------------------------------------


def list_rules_in_force(course_id: int, assignment: Assignment | None = None) -> list[CourseRule]:
    """The newest version of the course's rule, and of its assignment's when one is named; those that exist."""
    about = Q(assignment=None) if assignment is None else Q(assignment=None) | Q(assignment=assignment)
    versions = CourseRule.objects.filter(about, course=course_id).select_related("course", "assignment")
    newest: dict[int | None, CourseRule] = {}
    for version in versions.order_by("number"):
        newest[version.assignment_id] = version
    # The course's own first.
    return sorted(newest.values(), key=lambda rule: rule.assignment_id or 0)


def list_choices(user_id: int, at: datetime) -> list[CourseChoice]:
    """What the person may tag a call with: each course, then its assignments that run at this instant. Five queries."""
    places = list(Enrollment.objects.filter(user=user_id).select_related("course").order_by("course__code"))
    if not places:
        return []
    versions: dict[int, list[CourseRule]] = defaultdict(list)
    mine = [place.course_id for place in places]
    for version in CourseRule.objects.filter(course__in=mine).select_related("course", "assignment").order_by("number"):
        versions[version.course_id].append(version)
    assignments: dict[int, list[Assignment]] = defaultdict(list)
    for assignment in list_open_assignments(user_id, at):
        assignments[assignment.course_id].append(assignment)
    accepted = set(RuleAcceptance.objects.filter(user=user_id).values_list("rule", flat=True))
    permitted = set(Permission.objects.filter(user=user_id, is_given=True).values_list("course", flat=True))
    return [
        _choice(place, assignment, versions[place.course_id], accepted, permitted)
        for place in places
        for assignment in (None, *assignments[place.course_id])
    ]


def find_choice(user_id: int, tag: Tag) -> CourseChoice | None:
    """One of the person's choices; None when they are not in the course, or the assignment does not run."""
    return next((choice for choice in list_choices(user_id, clock.now()) if choice.tag == str(tag)), None)


def _choice(
    place: Enrollment,
    assignment: Assignment | None,
    versions: list[CourseRule],
    accepted: set[int],
    permitted: set[int],
) -> CourseChoice:
    rules, unread = [], []
    for about in (None,) if assignment is None else (None, assignment.pk):
        own = [version for version in versions if version.assignment_id == about]
        if own:
            rules.append(own[-1])
            since = max(n for n, version in enumerate(own) if version.asks_again)
            unread += [] if accepted & {version.pk for version in own[since:]} else [own[-1]]
    is_bound = place.role == CourseRole.STUDENT
    return CourseChoice(
        course=place.course,
        assignment=assignment,
        rules=tuple(rules),
        unread=tuple(unread) if is_bound else (),
        is_bound=is_bound,
        is_permitted=place.course_id in permitted,
    )


def find_rule_at(course_id: int, at: datetime) -> CourseRule | None:
    """The version of the course's own rule that was in force at an instant."""
    published = CourseRule.objects.filter(course=course_id, assignment=None, published_at__lte=at)
    return published.order_by("-number").first()


def list_readable_spans(course_id: int) -> list[tuple[datetime, datetime | None]]:
    """When students were told that the course's teachers may open their chats: from, up to (None: still).

    A chat belongs to the span it was begun in: what a later rule says does not change behind anyone's back (D14).
    """
    versions = list(CourseRule.objects.filter(course=course_id, assignment=None).order_by("number"))
    ends = [*(version.published_at for version in versions[1:]), None]
    spans = zip(versions, ends, strict=False)  # without any version there is one end too many
    return [(version.published_at, end) for version, end in spans if version.readers == Readers.INSTRUCTORS]


def list_assignments(course_id: int) -> QuerySet[Assignment]:
    """The course's assignments, the next to end first."""
    return Assignment.objects.filter(course=course_id).select_related("course")


def list_coming_exams(user_id: int, at: datetime) -> list[ExamWindow]:
    """The exam windows that are open or still to come for this student, the next first; exceptions left out."""
    mine = Enrollment.objects.filter(user=user_id, role=CourseRole.STUDENT, course=OuterRef("course"))
    excepted = ExamException.objects.filter(exam=OuterRef("pk"), user=user_id)
    coming = ExamWindow.objects.filter(ends_at__gt=at).exclude(Exists(excepted)).filter(_in_section(mine))
    return list(coming.select_related("course").order_by("starts_at"))


def _in_section(places: QuerySet[Enrollment]) -> Q:
    """Whether an exam window is for one of these places: its own section, or all of them."""
    return Q(Exists(places.filter(section=OuterRef("section")))) | (Q(section="") & Q(Exists(places)))


def list_versions(course_id: int) -> QuerySet[CourseRule]:
    """Every version of the rules of the course and of its assignments, the newest first.

    Each knows how many students it is `accepted_by`.
    """
    versions = CourseRule.objects.filter(course=course_id).select_related("course", "assignment", "published_by")
    given = RuleAcceptance.objects.filter(rule=OuterRef("pk")).order_by().values("rule").annotate(people=Count("id"))
    counted = versions.annotate(accepted_by=Coalesce(Subquery(given.values("people")), 0))
    return counted.order_by("-published_at", "-id")  # type: ignore[no-any-return]


def has_accepted(*, rule: CourseRule, user_id: int) -> bool:
    """Whether the student accepted this version, or an earlier one since which only the wording changed."""
    same_rule = Q(rule__course=rule.course_id, rule__assignment=rule.assignment_id)
    asked = CourseRule.objects.filter(
        course=rule.course_id, assignment=rule.assignment_id, number__lte=rule.number, asks_again=True
    )
    since = asked.order_by("-number").values_list("number", flat=True).first() or 1
    accepted = RuleAcceptance.objects.filter(same_rule, user=user_id, rule__number__range=(since, rule.number))
    return accepted.exists()


def list_unaccepted(*, user_id: int, course_id: int, assignment: Assignment | None = None) -> list[CourseRule]:
    """The rules in force there that the student has still to accept."""
    rules = list_rules_in_force(course_id, assignment)
    return [rule for rule in rules if not has_accepted(rule=rule, user_id=user_id)]


def has_permission(*, course_id: int, user_id: int) -> bool:
    """Whether a teacher of the course gave this student the permission to use AI."""
    return Permission.objects.filter(course=course_id, user=user_id, is_given=True).exists()


def find_permission(*, course_id: int, user_id: int) -> Permission | None:
    """What became of the student's last question for permission."""
    return Permission.objects.filter(course=course_id, user=user_id).order_by("-asked_at", "-id").first()


def list_permissions(course_id: int, *, search: str = "", state: str = "") -> QuerySet[Permission]:
    """Every question for permission in the course.

    Args:
        search: a part of the student's name or address, or of the reason.
        state: "open", "given" or "declined".
    """
    asked = Permission.objects.filter(course=course_id).select_related("user", "decided_by")
    if wanted := one_line(search):
        asked = asked.filter(
            Q(user__name__icontains=wanted) | Q(user__email__icontains=wanted) | Q(reason__icontains=wanted)
        )
    if not state:
        return asked
    return asked.filter(is_given__isnull=True) if state == "open" else asked.filter(is_given=state == "given")


def find_assignment(*, course_id: int, code: str) -> Assignment | None:
    """The assignment of that code in the course."""
    return Assignment.objects.select_related("course").filter(course=course_id, code=code).first()


def list_open_assignments(user_id: int, at: datetime) -> list[Assignment]:
    """The assignments that run now in the courses the person is in, the next to end first."""
    running = Assignment.objects.filter(opens_at__lte=at, due_at__gt=at, course__enrollments__user=user_id)
    return list(running.select_related("course").order_by("due_at", "id"))


# ---- exams -----------------------------------------------------------------------------------------------------------


def are_exams_ahead() -> tuple[bool]:
    """Whether any course has an exam window that is not over; wrapped, so that a no can be remembered."""
    return (ExamWindow.objects.filter(ends_at__gt=clock.now()).exists(),)


def list_exams_ahead(user_id: int) -> list[ExamWindow]:
    """The exam windows that are not over, of courses the person studies, unless an exception frees them."""
    mine = Enrollment.objects.filter(user=user_id, role=CourseRole.STUDENT, course=OuterRef("course"))
    excepted = ExamException.objects.filter(exam=OuterRef("pk"), user=user_id)
    ahead = ExamWindow.objects.filter(ends_at__gt=clock.now())
    return list(ahead.filter(_in_section(mine)).exclude(Exists(excepted)).select_related("course"))


def list_exams(course_id: int) -> QuerySet[ExamWindow]:
    """The course's exam windows with their exceptions, the latest first."""
    exams = ExamWindow.objects.filter(course=course_id).prefetch_related("exceptions__user")
    return exams.order_by("-starts_at", "-id")


def list_sections(course_id: int) -> list[str]:
    """The names of the course's sections."""
    named = Enrollment.objects.filter(course=course_id).exclude(section="")
    return list(named.order_by("section").values_list("section", flat=True).distinct())
