"""Taking a guard out of a SQL function, to show that a race test notices.

A test that passes with and without the guard proves nothing; so each race is run twice, once as
the functions are and once with the guard taken out of this test's own database.
"""

import asyncpg


async def take_out(
    owner: asyncpg.Connection, function: str, guard: str, instead: str = "NULL;"
) -> None:
    """Replace `guard`, which must stand exactly once in the body of `function`, by `instead`."""
    definition: str = await owner.fetchval(
        """SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p
            WHERE p.pronamespace = 'iu_core'::regnamespace AND p.proname = $1""",
        function,
    )
    assert definition.count(guard) == 1, f"{function} has the guard {definition.count(guard)} times"
    await owner.execute(definition.replace(guard, instead))
