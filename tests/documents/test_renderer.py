"""A service renders what it is asked for and goes on answering, whatever the documents do."""

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
import pytest

from app.documents.errors import DocumentTooLargeError, RendererBusyError, RenderingFailedError
from app.documents.formats import FORMATS
from app.documents.models import Document
from app.documents.page import as_page
from app.documents.renderer import AT_ONCE_BYTES, MOST_AT_ONCE, MOST_WAITING, Renderer
from tests.support.commands import environment
from tests.support.documents import document, rendered
from tests.support.interleaving import wait_until

HTML = FORMATS["html"]
ENDLESS = document("![" * 500_000)
"""Takes longer than anybody waits: the parser looks ahead for each of them, again and again."""

SHORT = document("# Title")

LONG = document("a " * (AT_ONCE_BYTES // 2) + "b")
"""More than is rendered at once, and quick."""


@pytest.fixture
async def make_renderer() -> AsyncIterator[Callable[..., Renderer]]:
    """Makes renderers, which are closed after the test and leave no process behind."""
    made: list[Renderer] = []

    def make(**limits: Any) -> Renderer:
        made.append(Renderer(**limits))
        return made[-1]

    yield make
    for renderer in made:
        await renderer.close()
    assert workers() == []


def workers() -> list[psutil.Process]:
    """Those of this process, dead ones that nobody waited for too."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.status() == psutil.STATUS_ZOMBIE or "app.documents.worker" in child.cmdline():
                found.append(child)
    return found


async def a_worker() -> psutil.Process:
    async def is_there() -> bool:
        return len(workers()) == 1

    await wait_until(is_there, "there is a worker")
    return workers()[0]


async def no_worker() -> None:
    async def is_gone() -> bool:
        return workers() == []

    await wait_until(is_gone, "the worker is gone")


@pytest.mark.parametrize("name", ["md", "html", "json"])
async def test_short_text_needs_no_worker(
    name: str, make_renderer: Callable[..., Renderer]
) -> None:
    short = document("# Title")

    assert await rendered(make_renderer(), short, FORMATS[name]) == FORMATS[name].render(short)
    assert workers() == []


@pytest.mark.parametrize(
    ("long", "name"), [(LONG, "html"), (document("# Title"), "pdf"), (document("# Title"), "docx")]
)
async def test_the_rest_is_rendered_in_one_worker_with_the_same_result(
    long: Document, name: str, make_renderer: Callable[..., Renderer]
) -> None:
    renderer = make_renderer()

    first = await rendered(renderer, long, FORMATS[name])
    [worker] = workers()

    assert first == FORMATS[name].render(long)
    assert await rendered(renderer, long, FORMATS[name]) == first
    assert workers() == [worker]


async def test_what_is_refused_is_refused_by_a_worker_that_lives_on(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer()
    deep = document(LONG.sections[0].text, "> " * 20 + "a")

    with pytest.raises(DocumentTooLargeError, match="Section 2 nests"):
        await rendered(renderer, deep, HTML)
    [worker] = workers()

    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()
    assert workers() == [worker]


async def test_a_document_that_takes_too_long_is_given_up(
    make_renderer: Callable[..., Renderer],
) -> None:
    with pytest.raises(RenderingFailedError, match=r"^The document was given up after 1\.5 s\.$"):
        await rendered(make_renderer(deadline_s=1.5), ENDLESS, HTML)

    await no_worker()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
async def test_a_document_that_takes_too_much_memory_ends_its_worker_alone(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer(memory=200 * 1024**2)

    with pytest.raises(RenderingFailedError, match="more than 200 MiB of memory"):
        await rendered(renderer, document("a\n\n" * 300_000), HTML)

    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()


async def test_a_worker_that_is_killed_fails_its_document_and_no_other(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer()
    failing = asyncio.create_task(rendered(renderer, ENDLESS, HTML))
    (await a_worker()).kill()

    with pytest.raises(RenderingFailedError):
        await failing
    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()


async def test_a_worker_that_is_killed_between_documents_fails_none(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer()
    await rendered(renderer, LONG, HTML)
    worker = renderer._worker
    assert worker
    worker.kill()
    await worker._process.wait()

    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()


async def test_a_worker_that_dies_while_nobody_looks_fails_no_document(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer()
    await rendered(renderer, LONG, HTML)
    (await a_worker()).kill()  # and nothing is awaited in which it could be noticed

    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()


async def test_a_document_that_kills_two_workers_is_given_up(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer()
    await rendered(renderer, LONG, HTML)
    [first] = workers()
    failing = asyncio.create_task(rendered(renderer, ENDLESS, HTML))
    first.kill()

    async def there_is_another() -> bool:
        return [worker.pid for worker in workers()] not in ([], [first.pid])

    await wait_until(there_is_another, "another worker was started")
    workers()[0].kill()

    with pytest.raises(RenderingFailedError, match="or it broke what renders it"):
        await failing


async def test_who_goes_away_leaves_no_answer_to_the_next(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer()
    await rendered(renderer, LONG, HTML)
    leaving = asyncio.create_task(rendered(renderer, ENDLESS, HTML))

    async def has_asked() -> bool:
        return renderer._queue._waiting == 1

    await wait_until(has_asked, "it has asked the worker")
    leaving.cancel()

    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()
    assert leaving.cancelled()


async def test_more_than_can_wait_are_told_so(make_renderer: Callable[..., Renderer]) -> None:
    renderer = make_renderer(deadline_s=0)

    async with renderer._queue.lock:
        asked = [
            asyncio.create_task(rendered(renderer, LONG, HTML)) for _ in range(MOST_WAITING + 1)
        ]
        [told], waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(told.exception(), RendererBusyError)
    assert str(told.exception()) == "16 documents wait to be rendered already."
    assert [type(answer) for answer in answers] == [RenderingFailedError] * MOST_WAITING


async def test_nobody_waits_for_ever(make_renderer: Callable[..., Renderer]) -> None:
    renderer = make_renderer(patience_s=0)
    async with renderer._queue.turn():
        with pytest.raises(RendererBusyError, match=r"waited for its turn .* for 0 s\.$"):
            await asyncio.wait_for(rendered(renderer, LONG, HTML), timeout=20)

    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()


async def test_short_documents_are_made_one_at_a_time(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer(patience_at_once_s=0)
    go_on = threading.Event()
    first = asyncio.create_task(renderer.render(lambda: SHORT if go_on.wait() else LONG, HTML))
    await asyncio.sleep(0)  # until it has its turn

    with pytest.raises(RendererBusyError):
        await rendered(renderer, SHORT, HTML)
    go_on.set()

    assert await first == (SHORT, as_page(SHORT).encode())
    assert await rendered(renderer, SHORT, HTML) == as_page(SHORT).encode()


async def test_what_nobody_waits_for_any_more_is_not_made_beside_the_next(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer()
    begun, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> Document:
        begun.set()
        go_on.wait()
        order.append("first")
        return SHORT

    def second() -> Document:
        order.append("second")
        return SHORT

    async def has_begun() -> bool:
        return begun.is_set()

    leaving = asyncio.create_task(renderer.render(first, HTML))
    await wait_until(has_begun, "the first has begun")
    leaving.cancel()
    staying = asyncio.create_task(renderer.render(second, HTML))
    await asyncio.wait([leaving])
    go_on.set()
    await staying

    assert order == ["first", "second"]


async def test_more_than_can_be_made_at_once_are_told_so(
    make_renderer: Callable[..., Renderer],
) -> None:
    renderer = make_renderer()

    answers = await asyncio.gather(
        *(rendered(renderer, SHORT, HTML) for _ in range(MOST_AT_ONCE + 1)), return_exceptions=True
    )

    assert answers[:-1] == [as_page(SHORT).encode()] * MOST_AT_ONCE
    assert isinstance(answers[-1], RendererBusyError)


async def test_a_worker_that_nobody_needs_is_ended(make_renderer: Callable[..., Renderer]) -> None:
    renderer = make_renderer(idle_s=0)

    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()
    await no_worker()
    assert await rendered(renderer, LONG, HTML) == as_page(LONG).encode()


async def test_a_worker_is_replaced_after_many_documents(
    make_renderer: Callable[..., Renderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.documents.renderer.DOCUMENTS_EACH", 2)
    renderer = make_renderer()
    seen = []
    for _ in range(4):
        await rendered(renderer, LONG, HTML)
        seen += workers()

    assert seen[0] == seen[1] != seen[2] == seen[3]


async def test_a_worker_knows_no_secret(
    make_renderer: Callable[..., Renderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTORY_DATABASE_URL", "postgresql://secret")

    await rendered(make_renderer(), LONG, HTML)

    assert "secret" not in str((await a_worker()).environ())


@pytest.mark.parametrize("busy", [False, True])
async def test_a_worker_does_not_outlive_its_service(busy: bool) -> None:
    program = f"""
import asyncio
from app.documents.formats import FORMATS
from app.documents.renderer import Renderer
from tests.documents.test_renderer import ENDLESS, LONG
from tests.support.documents import rendered
async def main():
    renderer = Renderer()
    await rendered(renderer, LONG, FORMATS["html"])
    print(renderer._worker._process.pid, flush=True)
    await (rendered(renderer, ENDLESS, FORMATS["html"]) if {busy} else asyncio.Event().wait())
asyncio.run(main())
"""
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment(), stdout=subprocess.PIPE
    )
    assert service.stdout
    worker = psutil.Process(int(await service.stdout.readline()))
    if busy:
        before = worker.cpu_times().user

        async def computes() -> bool:
            return worker.cpu_times().user > before

        await wait_until(computes, "the worker computes")
    service.kill()
    await service.wait()

    worker.wait(timeout=15)  # ENDLESS would keep it for longer
