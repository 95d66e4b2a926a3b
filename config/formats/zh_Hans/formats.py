"""Dates in written Chinese: the year first, 24 hours, a space beside figures."""

DATE_FORMAT = "Y 年 n 月 j 日"
DATETIME_FORMAT = "Y 年 n 月 j 日 H:i"
TIME_FORMAT = "H:i"
YEAR_MONTH_FORMAT = "Y 年 n 月"
MONTH_DAY_FORMAT = "n 月 j 日"
SHORT_DATE_FORMAT = "Y-m-d"
SHORT_DATETIME_FORMAT = "Y-m-d H:i"
FIRST_DAY_OF_WEEK = 1
NUMBER_GROUPING = 3
THOUSAND_SEPARATOR = ","

SHORT_DAY_FORMAT = "n 月 j 日"
DAY_FORMAT = "n 月 j 日（l）"
MOMENT_FORMAT = "Y 年 n 月 j 日（l）H:i"
