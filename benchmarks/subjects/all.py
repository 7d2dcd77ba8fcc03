"""Every subject, in the order of the page."""

from benchmarks.subjects import (
    Subjects,
    bulk,
    delivery,
    documents,
    events,
    from_event,
    governance,
    memory,
    scale,
    sql_function,
    stream,
    template_size,
)

SUBJECTS: Subjects = {
    "from_event": from_event,
    "memory": memory,
    "sql_function": sql_function,
    "bulk": bulk,
    "events": events,
    "documents": documents,
    "delivery": delivery,
    "stream": stream,
    "governance": governance,
    "template_size": template_size,
    "scale": scale,
}
