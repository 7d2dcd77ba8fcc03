"""Retention: policies, and cleanups by them (docs/retention.md)."""

from typing import Any

from app.db import retention as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.limits import IN_TURN
from app.db.rows import Row
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.schemas.base import Page
from app.schemas.retention import (
    CleanupRetention,
    PutRetentionPolicy,
    RetentionCleanup,
    RetentionPolicy,
    RetentionPolicyPage,
    RetentionPolicyPut,
)
from app.security import Caller

_POLICIES = Keyset("retention_policies", (str,))


async def list_policies(database: Database, page: Page) -> RetentionPolicyPage:
    """The four policies, by target."""
    position = _POLICIES.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.policies(tx, position, page.limit)

    found = _POLICIES.page(await database.run(work), page.limit, lambda row: (row["target"],))
    return RetentionPolicyPage(
        items=[RetentionPolicy(**_policy(row)) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def put_policy(
    database: Database, caller: Caller, target: str, order: PutRetentionPolicy
) -> RetentionPolicyPut:
    """Say how long a target is kept.

    Refuses with `actor_not_allowed` and `retention_policy_not_found`.
    """
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.put_policy(
            tx, target, order.keep_days, order.reason, by, enabled=order.enabled
        )
        was_put = answer["status"] == "ok"
        return answer, await db.policy(tx, target) if was_put else None

    answer, row = await database.run(work, limits=IN_TURN, repeatable=True)
    if row is None:
        raise refusal_from_status(answer)
    return RetentionPolicyPut(**_policy(row), changed=answer["changed"])


async def cleanup(database: Database, caller: Caller, order: CleanupRetention) -> RetentionCleanup:
    """Delete as much as one call does of what the policies let go; a dry run says what that is.

    Refuses with `actor_not_allowed`, `retention_gate_closed` and `plan_stale`.
    """
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)
    plan = None
    if order.plan_digest is not None and order.planned_at is not None:
        plan = (order.plan_digest, order.planned_at)

    async def work(tx: Transaction) -> dict[str, Any]:
        return await db.cleanup(tx, plan, order.reason, by, dry_run=order.dry_run)

    # By its plan a second run finds what the first was answered; without one it would plan anew.
    repeatable = order.dry_run or plan is not None
    answer = await database.run(work, limits=IN_TURN, repeatable=repeatable)
    if answer["status"] != "ok":
        raise refusal_from_status(answer)
    return RetentionCleanup(**{name: answer[name] for name in RetentionCleanup.model_fields})


def _policy(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in RetentionPolicy.model_fields}
