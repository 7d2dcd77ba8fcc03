"""`factory`, as it is installed without the extra `brokers`.

python -m tests.consuming.without_clients COMMAND …
"""

import sys

from app.cli import main

if __name__ == "__main__":
    vars(sys)["modules"]["faststream"] = None  # an import of it raises ImportError
    main()
