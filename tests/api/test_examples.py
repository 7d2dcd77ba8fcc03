"""The examples of the OpenAPI document, sent as they stand."""

import httpx

from app.main import create_app
from app.settings import Settings
from tests.support.examples import example_requests
from tests.support.populated import Populated

OF_THE_STATE = {404, 409, 412, 428}
"""Refusals that come from what is stored, not from what was sent."""


async def test_every_example_of_a_request_can_be_sent(populated: Populated) -> None:
    headers = {"Authorization": f"Bearer {populated.keys['admin']}"}
    async with httpx.AsyncClient(base_url=populated.url, headers=headers) as admin:
        refused = {}
        for request in example_requests(create_app(Settings())):
            answer = await admin.request(
                request.method, request.path, params=request.query, json=request.json
            )
            if not answer.is_success and answer.status_code not in OF_THE_STATE:
                refused[request.operation_id] = answer.text
    assert refused == {}
