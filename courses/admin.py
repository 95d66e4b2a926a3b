"""Terms, courses and enrollments in Django's admin, through the same services as everything else."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.admin import ReadOnlyAdmin
from courses import services
from courses.models import Course, Enrollment, Term
from courses.types import CourseRole


@admin.register(Term)
class TermAdmin(ReadOnlyAdmin):
    """To read: the page of terms writes them and says at the field which days cannot be."""

    list_display = ("code", "name", "starts_on", "ends_on")
    search_fields = ("code", "name")


@admin.register(Course)
class CourseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("code", "title", "term", "department", "starts_on", "ends_on")
    list_filter = ("term", "department")
    search_fields = ("code", "title")

    def get_readonly_fields(self, request: HttpRequest, obj: Course | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Course, form: Any, change: bool) -> None:
        fields = {name: getattr(obj, name) for name in ("title", "term", "department_id", "starts_on", "ends_on")}
        if change:
            services.update_course(course_id=obj.pk, **fields)
        else:
            obj.pk = services.create_course(code=obj.code, **fields).pk

    def delete_model(self, request: HttpRequest, obj: Course) -> None:
        services.delete_course(course_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Course]) -> None:
        for course in queryset:
            self.delete_model(request, course)


@admin.register(Enrollment)
class EnrollmentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("course", "user", "role")
    list_filter = ("role", "course")
    list_select_related = ("course", "user")
    search_fields = ("user__name", "user__email", "course__code")
    raw_id_fields = ("user",)

    def get_readonly_fields(self, request: HttpRequest, obj: Enrollment | None = None) -> tuple[str, ...]:
        return ("course", "user") if obj else ()

    def save_model(self, request: HttpRequest, obj: Enrollment, form: Any, change: bool) -> None:
        obj.pk = services.enroll(course=obj.course, user=obj.user, role=CourseRole(obj.role)).pk

    def delete_model(self, request: HttpRequest, obj: Enrollment) -> None:
        services.remove_enrollment(course_id=obj.course_id, user_id=obj.user_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Enrollment]) -> None:
        for enrollment in queryset:
            self.delete_model(request, enrollment)
