#!/usr/bin/env python3
"""The command line of the gateway: `manage.py help` lists the verbs."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except SystemExit as end:
        # A misspelled argument is a failure like any other: scripts look for 1 (argparse says 2).
        sys.exit(1 if end.code == 2 else end.code)
