"""The templates that are composed from, made as an author would make them."""

import httpx

FIVE = "tpl:bench:five"
"""The family of five pieces that most subjects compose from."""

GATES = ("piece_write", "template_authoring", "composer", "auto_instantiate", "event_intake")


async def open_gates(client: httpx.AsyncClient) -> None:
    """Open what authoring, composing and events need."""
    for gate in GATES:
        answer = await client.put(
            f"/gates/{gate}_enabled", json={"state": "open", "reason": "benchmark"}
        )
        answer.raise_for_status()


async def create_template(client: httpx.AsyncClient, family: str, size: int) -> str:
    """A template of so many pieces; its key."""
    pieces = [
        {
            "role": "part",
            "title": f"Piece {number} of {family}",
            "media_type": "text/markdown",
            "body": f"The text of piece {number} of {family}.",
        }
        for number in range(1, size + 1)
    ]
    answer = await client.post(
        "/templates",
        json={"family": family, "title": family, "reason": "benchmark", "pieces": pieces},
    )
    answer.raise_for_status()
    key: str = answer.json()["template_key"]
    return key
