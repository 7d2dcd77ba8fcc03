"""`factory`, whose requests get less time to end, so that the tests need not wait as long.

python -m tests.cli.hurried SHUTDOWN_S LONGEST_SHUTDOWN_S COMMAND …
"""

import sys

import app.hosting
from app.cli import main

if __name__ == "__main__":
    shutdown, longest = (float(sys.argv.pop(1)) for _ in range(2))
    vars(app.hosting).update(SHUTDOWN_S=shutdown, LONGEST_SHUTDOWN_S=longest)
    main()
