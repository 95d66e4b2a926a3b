"""The tables that decisions about calls rest on: each change of one raises the revision (core.revision).

Those that a decision reads without remembering them are here too: it is taken before the transaction that relies on it.
"""

from core.revision import Watched

WATCHED = [
    # Inserts do not count where only what was found is remembered: a new key, person or acknowledgment.
    Watched("accounts_user", ("role", "department_id", "is_active"), inserts=False),
    Watched("accounts_apikey", ("digest", "user_id", "course_code", "expires_at", "revoked_at"), inserts=False),
    Watched("policies_acknowledgment", inserts=False),
    Watched("policies_clause"),
    Watched("policies_clauseversion"),
    Watched("policies_accessrule"),
    Watched("policies_notice"),
    Watched("courses_term"),
    Watched("courses_course"),
    Watched("courses_enrollment"),
    Watched("courses_assignment"),
    Watched("courses_courserule"),
    Watched("courses_ruleacceptance"),
    Watched("courses_permission"),
    Watched("courses_examwindow"),
    Watched("courses_examexception"),
    Watched("quotas_quota"),
    Watched("quotas_pool"),
    Watched("gateway_provider"),
    Watched("gateway_upstream"),
    Watched("gateway_model"),
    Watched("gateway_route"),
]
