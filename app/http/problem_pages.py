"""The explanations of refusals as HTML: small, and complete without anything from elsewhere."""

import json
from collections.abc import Sequence
from html import escape

from app.http.pages import page
from app.refusals.document import HEADINGS
from app.refusals.spec import reason_phrase
from app.schemas.problems import ExplainedMember, ExplainedProblem

_STYLE = """
nav, .status { color: var(--quiet); margin: 0; }
nav { margin-bottom: 2rem; }
.remedy { border-left: .25rem solid var(--good); background: var(--soft); margin: 1.25rem 0;
  padding: .75rem 1rem; }
.remedy b { display: block; color: var(--good); }
.remedy p { margin: .15rem 0 0; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .3rem; margin: 0;
  padding: .8rem 1rem; white-space: pre-wrap; }
dt { border-top: 1px solid var(--line); padding-top: .5rem; }
dd { margin: .1rem 0 .6rem; }
dl { margin: 0; }
small { color: var(--quiet); }
ul { list-style: none; margin: 0; padding: 0; }
li { border-top: 1px solid var(--line); padding: .45rem 0; display: grid; gap: 0 1rem;
  grid-template-columns: 18rem 4.5rem 1fr; }
@media (max-width: 40rem) {
  li { grid-template-columns: 1fr auto; }
  li > :last-child { grid-column: 1 / -1; }
}
""".strip()


def list_page(problems: Sequence[ExplainedProblem]) -> str:
    """Every refusal, grouped by what it asks of the client."""
    groups = "".join(
        f"<h2>{escape(heading)}</h2><ul>"
        + "".join(_row(problem) for problem in problems if problem.kind is kind)
        + "</ul>"
        for kind, heading in HEADINGS.items()
    )
    return page(
        "Refusals",
        '<nav><a href="/docs">The API</a></nav><h1>Refusals</h1>'
        "<p>Whatever the factory does not do, it refuses with one of these codes. Each has one"
        " meaning and one remedy. A refusal changes nothing and consumes no idempotency key.</p>"
        f"{groups}",
        _STYLE,
    )


def one_page(problem: ExplainedProblem) -> str:
    """One refusal: what it means, what helps, what it carries, how it looks."""
    exceptions = "".join(
        f"<p>Answered with {_status(other.status)} when {_prose(other.when)}</p>"
        for other in problem.statuses[1:]
    )
    members = "".join(_member(member, problem) for member in problem.members)
    carries = f"<h2>What it carries</h2><dl>{members}</dl>" if members else ""
    document = json.dumps(problem.example, indent=2, ensure_ascii=False)
    return page(
        problem.title,
        '<nav><a href="/docs">The API</a> › <a href="/problems">Refusals</a></nav>'
        f'<p class="status"><code>{escape(problem.code)}</code>'
        f" · {_status(problem.statuses[0].status)}</p><h1>{escape(problem.title)}</h1>"
        f"<p>{_prose(problem.meaning)}</p>{exceptions}"
        f'<div class="remedy"><b>What helps</b><p>{_prose(problem.remedy)}</p></div>'
        f"{carries}<h2>How it looks</h2><pre>{escape(document)}</pre>",
        _STYLE,
    )


def _row(problem: ExplainedProblem) -> str:
    statuses = ", ".join(str(one.status) for one in problem.statuses)
    return (
        f'<li><a href="{escape(problem.type)}"><code>{escape(problem.code)}</code></a>'
        f"<span>{statuses}</span><span>{escape(problem.title)}</span></li>"
    )


def _member(member: ExplainedMember, problem: ExplainedProblem) -> str:
    presence = "" if member.always else " <small>not always there</small>"
    example = (
        ""  # it stands in the document below
        if member.name in problem.example
        else f"<br><small>For example <code>{escape(json.dumps(member.example))}</code></small>"
    )
    return (
        f"<dt><code>{escape(member.name)}</code>{presence}</dt>"
        f"<dd>{_prose(member.meaning)}{example}</dd>"
    )


def _status(status: int) -> str:
    return f"{status} {escape(reason_phrase(status))}"


def _prose(text: str) -> str:
    """Text with Markdown's backticks as code; they come in pairs."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts)
    )
