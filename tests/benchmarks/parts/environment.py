"""A worker that answers with the value of an environment variable."""

import json
import os
import sys

if __name__ == "__main__":
    for _ in sys.stdin:
        print(json.dumps({"value": os.environ.get(sys.argv[1])}), flush=True)
