"""`python -m app.cli`, for where the script `factory` is not installed."""

from app.cli import main

main()
