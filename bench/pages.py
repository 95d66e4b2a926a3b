"""`python -m bench pages`: what the pages for managers and teachers, and what is done in bulk, cost with 50,000 people.

It measures the database that the environment names: fill it first with `python -m bench.university`.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path


def main(options: argparse.Namespace) -> None:
    """Measure in a process of its own, where Django is set up for this environment."""
    root = Path(__file__).resolve().parent.parent
    for part in ("bench.page_times", "bench.bulk"):
        subprocess.run([sys.executable, "-m", part], cwd=root, env=os.environ, check=True)
