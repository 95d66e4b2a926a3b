"""The people and courses of Harbour University. All names are made up."""

from dataclasses import dataclass

from accounts.types import Role
from courses.types import CourseRole

DOMAIN = "example.edu"
DEPARTMENTS = {
    "eng": "工程學院 Faculty of Engineering",
    "arts": "文學院 Faculty of Arts",
    "lib": "圖書館 University Library",
}


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Someone of Harbour University.

    Args:
        appetite: prompts on an ordinary weekday, on average.
        programs: whether part of the use comes from the person's own programs.
        courses: the role in each course, by code.
    """

    login: str
    name: str
    role: Role
    department: str
    appetite: float = 0.0
    programs: bool = False
    courses: tuple[tuple[str, CourseRole], ...] = ()

    @property
    def email(self) -> str:
        return f"{self.login}@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class DemoCourse:
    """A course, and the teaching weeks in which its assignments are due."""

    code: str
    title: str
    department: str
    due_weeks: tuple[int, ...]


COURSES = (
    DemoCourse("COMP1117", "Computer Programming I", "eng", due_weeks=(3, 7)),
    DemoCourse("HIST2021", "Maps of Hong Kong, 1841–1997", "arts", due_weeks=(5, 8)),
    DemoCourse("CHIN1301", "大學中文寫作", "arts", due_weeks=()),
    DemoCourse("GEOG2090", "粤港澳大湾区城市地理", "arts", due_weeks=()),
)

_COMP, _HIST, _CHIN, _GEOG = (course.code for course in COURSES)
_LEARNS, _HELPS, _TEACHES = CourseRole.STUDENT, CourseRole.ASSISTANT, CourseRole.INSTRUCTOR

STUDENT = DemoPerson(
    "student",
    "陳小明 Chan Siu Ming",
    Role.STUDENT,
    "eng",
    0.45,
    courses=((_COMP, _LEARNS), (_HIST, _LEARNS), (_CHIN, _LEARNS), (_GEOG, _LEARNS)),
)
NEWCOMER = DemoPerson("student2", "梁詠心 Leung Wing Sum", Role.STUDENT, "eng", courses=((_COMP, _LEARNS),))
INSTRUCTOR = DemoPerson(
    "instructor", "何美玲 Dr Ho Mei Ling", Role.INSTRUCTOR, "eng", 0.7, courses=((_COMP, _TEACHES),)
)
ADMIN = DemoPerson("admin", "劉志強 Lau Chi Keung", Role.ADMIN, "lib", 0.3)
# Who can sign in; everyone else has no usable password.
LOGINS = (STUDENT, NEWCOMER, INSTRUCTOR, ADMIN)

_COLLEAGUES = (
    DemoPerson(
        "wk.tam",
        "譚偉傑 Prof Tam Wai Kit",
        Role.INSTRUCTOR,
        "arts",
        0.4,
        courses=((_HIST, _TEACHES), (_CHIN, _TEACHES)),
    ),
    DemoPerson("a.sharma", "Dr Anjali Sharma", Role.INSTRUCTOR, "eng", 1.2, programs=True),
    DemoPerson("p.fernandes", "Dr Paulo Fernandes", Role.INSTRUCTOR, "arts", 0.2, courses=((_GEOG, _TEACHES),)),
    DemoPerson("sy.kwok", "郭思恩 Kwok Sze Yan", Role.STAFF, "lib", 0.5),
    DemoPerson("hl.mak", "Mak Hoi Lam", Role.STAFF, "lib", 0.3),
    DemoPerson("kf.chow", "Chow Ka Fai", Role.STAFF, "eng", 0.8, programs=True),
    DemoPerson("yt.ng", "Ng Yuen Ting", Role.STAFF, "arts", 0.2),
    DemoPerson("tm.siu", "Siu Tsz Man", Role.ADMIN, "lib", 0.2),
    DemoPerson("hy.poon", "Poon Ho Yin", Role.STUDENT, "eng", 0.6, programs=True, courses=((_COMP, _HELPS),)),
)

# login, name, appetite
_PROGRAMMERS = (
    ("ky.wong", "黃嘉欣 Wong Ka Yan", 0.9),
    ("ch.cheung", "張俊熙 Cheung Chun Hei", 0.7),
    ("ml.lam", "Lam Man Lok", 1.3),
    ("hn.yip", "Yip Hiu Nam", 0.5),
    ("wl.fung", "Fung Wai Lam", 0.3),
    ("tk.tsang", "曾子健 Tsang Tsz Kin", 1.6),
    ("sc.yeung", "Yeung Sin Ching", 0.4),
    ("pk.hui", "Hui Pak Kiu", 0.2),
    ("yl.szeto", "司徒逸朗 Szeto Yat Long", 0.8),
    ("w.zhang", "张伟 Zhang Wei", 0.6),
    ("r.kaur", "Ranjit Kaur", 0.5),
    ("m.tanaka", "Mio Tanaka", 0.3),
    ("hc.ko", "Ko Hoi Ching", 0.1),
    ("lh.au", "Au Lok Hin", 0.0),
    ("cy.law", "Law Cheuk Yiu", 0.4),
    ("j.okafor", "Joy Okafor", 0.7),
)
_READERS = (
    ("sw.kong", "Kong Sum Wai", 0.4),
    ("nt.chu", "朱雅彤 Chu Nga Tung", 0.6),
    ("yh.tse", "Tse Yee Hang", 0.2),
    ("e.rossi", "Elena Rossi", 0.5),
    ("kw.sin", "Sin Kai Wing", 0.3),
    ("ht.lo", "Lo Hei Tung", 0.0),
    ("py.ma", "馬佩盈 Ma Pui Ying", 0.7),
    ("ll.kwan", "Kwan Long Lai", 0.1),
    ("d.nguyen", "Dinh Nguyen", 0.4),
    ("cm.pang", "彭志文 Pang Chi Man", 0.2),
    ("ws.ip", "Ip Wing Shan", 0.3),
)

PEOPLE = (
    *LOGINS,
    *_COLLEAGUES,
    *(
        DemoPerson(login, name, Role.STUDENT, "eng", appetite, programs=appetite > 1, courses=((_COMP, _LEARNS),))
        for login, name, appetite in _PROGRAMMERS
    ),
    *(
        DemoPerson(login, name, Role.STUDENT, "arts", appetite, courses=((_HIST, _LEARNS),))
        for login, name, appetite in _READERS
    ),
)
