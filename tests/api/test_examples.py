"""The examples of the OpenAPI document, sent as they stand."""

import httpx

from app.main import create_app
from app.settings import Settings
from tests.support.examples import ENDLESS, example_requests
from tests.support.populated import Populated

OF_THE_STATE = {404, 409, 412, 428}
"""Refusals that come from what is stored, not from what was sent."""

OF_THE_DATA = {"receive_webhook", "post_events"}
"""An example is not signed with this source's secret, and of no type that is known here."""


async def test_every_example_of_a_request_can_be_sent(populated: Populated) -> None:
    headers = {"Authorization": f"Bearer {populated.keys['admin']}"}
    async with httpx.AsyncClient(base_url=populated.url, headers=headers) as admin:
        refused = {}
        for request in example_requests(create_app(Settings())):
            if request.operation_id == ENDLESS:
                continue
            answer = await admin.request(
                request.method,
                request.path,
                params=request.query,
                json=request.json,
                headers={"Content-Type": request.content_type},
            )
            of_the_data = request.operation_id in OF_THE_DATA and answer.status_code in {401, 422}
            if not (answer.is_success or answer.status_code in OF_THE_STATE or of_the_data):
                refused[request.operation_id] = answer.text
    assert refused == {}
