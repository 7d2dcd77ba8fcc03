"""After a dump and a restore, delivery goes on where it was."""

from datetime import timedelta

import asyncpg

from tests.support.databases import Database, Server, open_connection
from tests.support.delivery import claim, facts, finish, make_route, open_boundary
from tests.support.gates import set_clock
from tests.support.release_dump import restored_database, statements
from tests.support.rows import one_row
from tests.support.templates import make_template

LETTERS = (
    "SELECT iu_core.fn_iu_dead_letters_replay($1, NULL, NULL, NULL, 10, false, 'again', 'ops-anna',"
    " 'anna', gen_random_uuid())"
)


async def test_what_was_pending_on_the_wire_delivered_and_dead_is_so_after_a_restore(
    database: Database,
    server: Server,
    maintenance: asyncpg.Connection,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
) -> None:
    await open_boundary(owner)
    template = await make_template(owner)
    route = await make_route(app_conn)
    (delivered, dead, on_the_wire) = await facts(owner, template, 3)
    claimed = {one["subject_id"]: one for one in await claim(app_conn)}
    await finish(app_conn, [claimed[delivered]])
    await owner.execute("UPDATE iu_core.iu_route_delivery SET attempts = 10")
    await finish(app_conn, [claimed[dead]], "failed", 500, "answered")
    await owner.execute("UPDATE iu_core.iu_route_delivery SET attempts = 1")
    (pending,) = await facts(owner, template)

    async with restored_database(server, maintenance, statements(database)) as restored:
        there = await open_connection(restored, "owner")
        assert [one["subject_id"] for one in await claim(there)] == [pending]
        await set_clock(there, timedelta(minutes=2))
        again = await claim(there)
        assert {one["subject_id"]: one["attempt"] for one in again} == {on_the_wire: 2, pending: 2}
        assert await finish(there, again) == ["delivered"] * 2
        assert (await there.fetchval(LETTERS, route))["due"] == 1
        assert [one["subject_id"] for one in await claim(there)] == [dead]
        lost = await one_row(
            there,
            "SELECT outcome FROM iu_core.iu_route_attempt WHERE attempt_id = $1",
            claimed[on_the_wire]["attempt_id"],
        )
        assert lost["outcome"] == "abandoned"
        await there.close()
