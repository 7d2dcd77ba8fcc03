"""schemathesis' command as a module, so that it can be forked."""

from schemathesis.cli import schemathesis

if __name__ == "__main__":
    schemathesis()
