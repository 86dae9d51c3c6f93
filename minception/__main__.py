"""`python -m minception COMMAND`: the same as the console command `minception`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
