"""The public CloudEvents SDK as the client: what it writes in any mode is read as it was meant."""

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as SdkEvent
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.events.intake import BATCHED, read

SEED = int(os.environ.get("FACTORY_TEST_SEED", "20250601"))
MODES = ("binary", "structured", "batched")

each_mode = pytest.mark.parametrize("mode", MODES)
at_random = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"])
_TEXTS = st.text(_CHARACTERS, min_size=1, max_size=60)
_URIS = st.tuples(
    st.sampled_from(("urn:uuid:", "https://a:b@hr.example:8443/", "//[2001:db8::1]/", "../", "/")),
    st.text(st.sampled_from("abcXYZ019-._~:/@!$&'()*+,;="), max_size=60),
    st.sampled_from(("", "?x=%20/?", "#a/?")),
).map("".join)
_TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)).flatmap(  # noqa: DTZ001 - see below
    lambda moment: st.integers(-1439, 1439).map(
        lambda minutes: moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    )
)
_NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | _NUMBERS
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)
_CORE = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"}
_EXTENSIONS = st.dictionaries(
    st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(
        lambda name: name not in _CORE | {"data", "factorydepth"}
    ),
    _TEXTS | st.integers(-(2**31), 2**31 - 1),
    max_size=4,
)
_ATTRIBUTES = st.fixed_dictionaries(
    {"id": _TEXTS, "source": _URIS, "type": _TEXTS, "time": _TIMES},
    optional={
        "subject": _TEXTS,
        "dataschema": _URIS,
        "datacontenttype": st.sampled_from(
            ("application/json", "application/json; charset=utf-8", "application/hr.v1+json")
        ),
    },
)
_DATA = st.none() | st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=4)


def message(mode: str, event: SdkEvent) -> HTTPMessage:
    match mode:
        case "binary":
            return to_binary_event(event)
        case "structured":
            return to_structured_event(event)
    # The SDK writes no batches; a batch is an array of what it writes.
    return HTTPMessage(BATCHED, b"[%s]" % JSONFormat().write(event))


async def send(client: httpx.AsyncClient, mode: str, event: SdkEvent) -> Any:
    sent = message(mode, event)
    response = await client.post("/events", content=sent.body, headers=sent.headers)
    assert response.status_code == 200, response.text
    received = response.json()["received"]
    return received[0] if mode == "batched" else received


@each_mode
@seed(SEED)
@at_random
@given(attributes=_ATTRIBUTES, extensions=_EXTENSIONS, data=_DATA)
async def test_what_the_sdk_writes_is_read_as_it_was_meant(
    client: httpx.AsyncClient,
    mode: str,
    attributes: dict[str, Any],
    extensions: dict[str, Any],
    data: dict[str, Any] | None,
) -> None:
    received = await send(client, mode, SdkEvent({**attributes, **extensions}, data))
    time = received.pop("time")
    assert datetime.fromisoformat(time) == attributes.pop("time")
    expected = read(data=data, **attributes)
    del expected["time"]
    # Their types are lost in headers, so they are kept as texts.
    assert received == {**expected, **{name: str(value) for name, value in extensions.items()}}


@each_mode
async def test_data_that_the_sdk_was_given_as_bytes(client: httpx.AsyncClient, mode: str) -> None:
    attributes = {"source": "/hr", "type": "t", "datacontenttype": "application/json"}
    event = SdkEvent(attributes, json.dumps({"name": "Ada"}).encode())
    assert (await send(client, mode, event))["data"] == {"name": "Ada"}


@each_mode
async def test_what_the_sdk_invents_is_kept(client: httpx.AsyncClient, mode: str) -> None:
    event = SdkEvent({"source": "/hr", "type": "employee.hired"}, {"name": "Ada"})
    received = await send(client, mode, event)
    invented = event.get_time()
    assert invented is not None
    assert invented.tzinfo is UTC
    assert datetime.fromisoformat(received.pop("time")) == invented
    expected = read(id=event.get_id(), data={"name": "Ada"})
    del expected["time"]
    assert received == expected
