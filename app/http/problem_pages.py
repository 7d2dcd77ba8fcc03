"""The explanations of refusals as HTML: small, and complete without anything from elsewhere."""

import json
from collections.abc import Sequence
from html import escape
from http import HTTPStatus

from app.schemas.problems import ExplainedProblem

HTML = "text/html"

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .25rem 0 1rem; }
code { font: .9em ui-monospace, monospace; }
.status { opacity: .75; margin: 0; }
.remedy { border-left: .25rem solid #2f7d4f; padding: .1rem 0 .1rem 1rem; }
table { border-collapse: collapse; width: 100%; margin-top: 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-top: 1px solid #8886; overflow-wrap: anywhere; }
""".strip()


def list_page(problems: Sequence[ExplainedProblem]) -> str:
    """Every refusal in one table."""
    rows = "".join(
        f'<tr><td><a href="{escape(problem.type)}"><code>{escape(problem.code)}</code></a></td>'
        f"<td>{_statuses(problem)}</td><td>{escape(problem.title)}</td></tr>"
        for problem in problems
    )
    return _page(
        "Refusals",
        "<h1>Refusals</h1><p>Whatever the factory does not do, it refuses with one of these"
        " codes. Each has one meaning and one remedy.</p>"
        f"<table><tr><th>Code</th><th>HTTP</th><th></th></tr>{rows}</table>",
    )


def one_page(problem: ExplainedProblem) -> str:
    """One refusal: what it means, what helps, what it carries."""
    exceptions = "".join(
        f"<p>{_status(other.status)}: {_prose(other.when)}</p>" for other in problem.statuses[1:]
    )
    members = "".join(
        f"<tr><td><code>{escape(member.name)}</code></td><td>{_prose(member.meaning)}"
        f"{'' if member.always else ' Not always there.'}</td>"
        f"<td><code>{escape(json.dumps(member.example))}</code></td></tr>"
        for member in problem.members
    )
    table = f"<table><tr><th>Member</th><th></th><th>Example</th></tr>{members}</table>"
    return _page(
        problem.title,
        f'<p class="status"><code>{escape(problem.code)}</code>'
        f" · {_status(problem.statuses[0].status)}</p><h1>{escape(problem.title)}</h1>"
        f"<p>{_prose(problem.meaning)}</p>"
        f'<p class="remedy">{_prose(problem.remedy)}</p>'
        f"{exceptions}{table if members else ''}"
        '<p><a href="/problems">All refusals</a></p>',
    )


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{content}</main></body></html>\n"
    )


def _statuses(problem: ExplainedProblem) -> str:
    return ", ".join(str(one.status) for one in problem.statuses)


def _status(status: int) -> str:
    return f"{status} {escape(HTTPStatus(status).phrase)}"


def _prose(text: str) -> str:
    """Text with Markdown's backticks as code; they come in pairs."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts)
    )
