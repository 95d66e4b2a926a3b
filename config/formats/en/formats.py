"""Dates as people in Hong Kong write them in English: day first, 24 hours."""

DATE_FORMAT = "j F Y"
DATETIME_FORMAT = "j F Y, H:i"
TIME_FORMAT = "H:i"
MONTH_DAY_FORMAT = "j F"
SHORT_DATE_FORMAT = "j M Y"
SHORT_DATETIME_FORMAT = "j M Y, H:i"
FIRST_DAY_OF_WEEK = 1

# The product's own, for `date:"SHORT_DAY_FORMAT"`: every language of settings.LANGUAGES has the three.
SHORT_DAY_FORMAT = "j M"
DAY_FORMAT = "l j F"
MOMENT_FORMAT = "l j F Y, H:i"
