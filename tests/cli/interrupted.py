"""`factory`, with the first of the examples only: as if it were interrupted after it.

python -m tests.cli.interrupted COMMAND …
"""

from app.cli import main
from app.content import reading

if __name__ == "__main__":
    reading.SEEDS = reading.SEEDS[:1]
    main()
