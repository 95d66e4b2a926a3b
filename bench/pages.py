"""`python -m bench pages`: how long the server works on the pages for managers and teachers, with 50,000 people.

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
    subprocess.run([sys.executable, "-m", "bench.page_times"], cwd=root, env=os.environ, check=True)
