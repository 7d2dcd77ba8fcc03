"""The process that renders documents for `renderer`, one at a time, under a limit of memory.

    question    length, the JSON of a Job            over its standard input
    answer      kind, length, the bytes              over its standard output

A kind is `+` for a document, or `-` for the name and the text of a DocumentError. A length has four
bytes, the highest first. Whatever else goes wrong ends the process, after a traceback on standard
error. So does the end of its input, even in the middle of a document: it does not outlive the
service, however that ended.

`python -m app.documents.worker BYTES`
"""

import os
import resource
import struct
import sys
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from app.documents.errors import DocumentError, DocumentTooLargeError, FormatUnavailableError
from app.documents.formats import FORMATS
from app.documents.models import Document
from app.schemas.base import WireModel

QUESTION = struct.Struct(">I")
ANSWER = struct.Struct(">cI")

REFUSALS: dict[str, type[DocumentError]] = {
    refusal.__name__: refusal for refusal in (DocumentTooLargeError, FormatUnavailableError)
}
"""What a document or the machine is refused for, and not the process ended."""


class Job(WireModel):
    """A document, and the name of the format that it is wanted in."""

    format: str
    document: Document


def framed(job: Job) -> bytes:
    """The question that asks for it."""
    text = job.model_dump_json().encode()
    return QUESTION.pack(len(text)) + text


def refused(answer: bytes) -> DocumentError:
    """The refusal that an answer of the kind `-` tells of."""
    name, _, text = answer.decode().partition("\n")
    return REFUSALS[name](text)


def main(memory: int) -> None:
    """Answer questions until there are no more, with at most so many bytes of address space."""
    if sys.platform == "linux":  # macOS takes no limit that its own libraries do not keep
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    os.nice(10)  # requests that wait for nothing but the service go first
    # Libraries print; what they print must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    questions: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(sys.stdin.buffer, questions), daemon=True).start()
    while True:
        kind, answer = _answer(questions.get())
        answers.write(ANSWER.pack(kind, len(answer)) + answer)
        answers.flush()


def _answer(question: bytes) -> tuple[bytes, bytes]:
    job = Job.model_validate_json(question)
    try:
        return b"+", FORMATS[job.format].render(job.document)
    except tuple(REFUSALS.values()) as refusal:
        return b"-", f"{type(refusal).__name__}\n{refusal}".encode()


def _read(stream: BinaryIO, questions: "SimpleQueue[bytes]") -> None:
    while len(head := stream.read(QUESTION.size)) == QUESTION.size:
        questions.put(stream.read(*QUESTION.unpack(head)))
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
