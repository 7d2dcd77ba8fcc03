"""The command line: `factory`. What it is made of stands in `app.cli.program`."""

import sys


def main() -> None:
    """Run the command of this process' arguments, and exit with its code."""
    # First of all, and before anything is imported that takes its time: Ctrl-C is no accident.
    from app.garbage import collect_seldom
    from app.stopping import Stopped, heed_signals, ignore_signals

    heed_signals()
    collect_seldom()
    try:
        from app.cli.program import run_command

        code = run_command()
    except Stopped as stopped:
        code = stopped.exit_code
        sys.stderr.write(f"Interrupted ({stopped}).\n")
    finally:
        ignore_signals()
    sys.exit(code)
