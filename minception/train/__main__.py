"""`python -m minception.train`: the same as `minception train`."""

import sys

from minception.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command("train", sys.argv[1:], "python -m minception.train"))
