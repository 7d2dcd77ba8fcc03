"""Pages for people: small HTML, complete without a script or anything from elsewhere."""

from html import escape

from starlette.responses import Response

HTML = "text/html"

VARY = {"Vary": "Accept"}
"""Of what comes as a page to one and as JSON to another."""

# The page loads nothing, and this says so to the browser.
_HEADERS = {**VARY, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

# Codes and keys are long words: they may break anywhere, so that no screen is too narrow for them.
_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --quiet: #666; --good: #2f7d4f;
  --bad: #b3372f; }
@media (prefers-color-scheme: dark) {
  :root { --quiet: #aaa; --good: #5fbf87; --bad: #f0857c; }
}
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2.5rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .3rem 0 1rem; text-wrap: balance; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
code, pre { font: .9em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
@media (max-width: 40rem) { body { margin-top: 1.25rem; } }
""".strip()


def page(title: str, content: str, style: str) -> str:
    """A whole page. Takes its title as text, what is in it as HTML, and the style of that."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Product factory</title><style>{_STYLE}\n{style}</style></head>"
        f"<body><main>{content}</main></body></html>\n"
    )


def page_response(html: str) -> Response:
    """The response whose body is a page."""
    return Response(html, media_type=HTML, headers=_HEADERS)
