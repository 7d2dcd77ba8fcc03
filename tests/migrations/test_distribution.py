"""What a distributed database (Citus) asks of tables, functions and views, held from the first on.

Which table is distributed by what stands in migrations/distribution.txt. Each rule is shown to
see what breaks it.
"""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from pglast import ast, enums

from app.db.schema_files import SchemaFile, read_tree, root
from tests.support.databases import Database, open_connection
from tests.support.sql_trees import parse, statements, walk

TREE = read_tree(root())
PLACES = {
    table: place
    for line in (root() / "distribution.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
    for table, place in [line.split()]
}
DISTRIBUTED = {table: place for table, place in PLACES.items() if place != "reference"}

# ------------------------------------------------------------------------------------- tables

_TABLES = """
    SELECT c.relname FROM pg_class AS c
     WHERE c.relnamespace = 'iu_core'::regnamespace AND c.relkind IN ('r', 'p')
"""

_BROKEN_RULES = """
    WITH places AS (
        SELECT c.oid, c.relname, a.attnum
          FROM unnest($1::text[], $2::text[]) AS p(relname, place)
          JOIN pg_class AS c ON c.relname = p.relname AND c.relnamespace = 'iu_core'::regnamespace
          LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = p.place)
    SELECT p.relname || ' is not distributed by a column that must be there'
      FROM places AS p
      LEFT JOIN pg_attribute AS a ON a.attrelid = p.oid AND a.attnum = p.attnum
     WHERE p.relname = ANY ($3) AND a.attnotnull IS DISTINCT FROM true
    UNION ALL
    SELECT p.relname || ' has the trigger ' || t.tgname
      FROM places AS p JOIN pg_trigger AS t ON t.tgrelid = p.oid
     WHERE p.attnum IS NOT NULL AND NOT t.tgisinternal
    UNION ALL
    SELECT p.relname || ' is unique without its distribution column: ' || x.relname
      FROM places AS p
      JOIN pg_index AS i ON i.indrelid = p.oid
      JOIN pg_class AS x ON x.oid = i.indexrelid
     WHERE (i.indisunique OR i.indisexclusion)
       AND p.attnum <> ALL ((i.indkey::int2[])[0:i.indnkeyatts - 1])
    UNION ALL
    SELECT p.relname || ' points to ' || o.relname || ', which may lie elsewhere: ' || k.conname
      FROM pg_constraint AS k
      JOIN places AS p ON p.oid = k.conrelid
      JOIN places AS o ON o.oid = k.confrelid
     WHERE k.contype = 'f' AND o.attnum IS NOT NULL
       AND array_position(k.conkey, p.attnum) IS DISTINCT FROM array_position(k.confkey, o.attnum)
"""


@pytest.fixture
async def superuser(unchanged_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction that is rolled back."""
    connection = await open_connection(unchanged_database, "superuser")
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def broken_rules(connection: asyncpg.Connection) -> list[str]:
    """What the tables are that they must not be."""
    rows = await connection.fetch(
        _BROKEN_RULES, list(PLACES), list(PLACES.values()), list(DISTRIBUTED)
    )
    return [row[0] for row in rows]


async def test_every_table_has_its_place(superuser: asyncpg.Connection) -> None:
    assert {row["relname"] for row in await superuser.fetch(_TABLES)} == PLACES.keys()


async def test_tables_keep_the_rules(superuser: asyncpg.Connection) -> None:
    assert await broken_rules(superuser) == []


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        (
            "ALTER TABLE iu_core.event_outbox RENAME COLUMN subject_id TO other_id",
            "event_outbox is not distributed by a column that must be there",
        ),
        (
            """CREATE TRIGGER t BEFORE UPDATE ON iu_core.event_outbox
               FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()""",
            "event_outbox has the trigger t",
        ),
        (
            """CREATE UNIQUE INDEX u ON iu_core.iu_auto_instantiate_event_log (event_id)
               INCLUDE (instance_collection_id)""",
            "iu_auto_instantiate_event_log is unique without its distribution column: u",
        ),
        (
            """ALTER TABLE iu_core.iu_collection_template_registry ADD CONSTRAINT f
               FOREIGN KEY (template_collection_id) REFERENCES iu_core.iu_piece_collection""",
            "iu_collection_template_registry points to iu_piece_collection,"
            " which may lie elsewhere: f",
        ),
        (
            """ALTER TABLE iu_core.iu_auto_instantiate_event_log ADD CONSTRAINT f
               FOREIGN KEY (template_collection_id) REFERENCES iu_core.iu_piece_collection""",
            "iu_auto_instantiate_event_log points to iu_piece_collection,"
            " which may lie elsewhere: f",
        ),
    ],
)
async def test_a_table_that_breaks_a_rule_is_seen(
    superuser: asyncpg.Connection, statement: str, broken: str
) -> None:
    await superuser.execute(statement)
    assert await broken_rules(superuser) == [broken]


# ------------------------------------------------------------------------ functions and views

NEWER_NODES = (
    ast.JsonIsPredicate,
    ast.JsonObjectConstructor,
    ast.JsonArrayConstructor,
    ast.JsonArrayQueryConstructor,
    ast.JsonObjectAgg,
    ast.JsonArrayAgg,
    ast.JsonParseExpr,
    ast.JsonScalarExpr,
    ast.JsonSerializeExpr,
    ast.JsonFuncExpr,
    ast.JsonTable,
)
# Functions and settings that someone who writes functions and views may come upon.
NEWER_NAMES = {
    # 16
    "any_value", "array_sample", "array_shuffle", "date_add", "date_subtract",
    "pg_input_error_info", "pg_input_is_valid", "random_normal",
    # 17
    "to_bin", "to_oct", "transaction_timeout", "uuid_extract_timestamp", "uuid_extract_version",
    # 18
    "array_reverse", "array_sort", "casefold", "crc32", "crc32c", "uuidv4", "uuidv7",
}  # fmt: skip
WRITING = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)


def tables(nodes: object) -> list[str]:
    """The relations that are named anywhere below."""
    return [str(node.relname) for node in walk(nodes) if isinstance(node, ast.RangeVar)]


def sources(node: ast.Node) -> list[str]:
    """The relations that a statement reads or writes itself, its sub-selects in FROM included."""
    return tables([getattr(node, name, None) for name in ("relation", "fromClause", "usingClause")])


def complaints(statement: ast.Node) -> Iterator[str]:
    """What a statement is that it must not be."""
    if len([node for node in walk(statement) if isinstance(node, WRITING)]) > 1:
        yield "writes twice in one statement"
    for node in walk(statement):
        if isinstance(node, ast.SelectStmt | ast.UpdateStmt | ast.DeleteStmt):
            yield from _complaints_of_query(node)
        match node:
            case ast.MergeStmt(returningClause=ast.ReturningClause()):
                yield "MERGE … RETURNING is newer than PostgreSQL 15"
            case ast.ReturningClause(options=(_, *_)):
                yield "RETURNING of OLD or NEW is newer than PostgreSQL 15"
            case ast.FuncCall(funcname=(*_, ast.String(sval=str(name)))) if name in NEWER_NAMES:
                yield f"{name} is newer than PostgreSQL 15"
            case ast.VariableSetStmt(name=str(name)) if name in NEWER_NAMES:
                yield f"{name} is newer than PostgreSQL 15"
            case ast.Constraint(generated_kind="v"):
                yield "a generated column that is not STORED is newer than PostgreSQL 15"
        if isinstance(node, NEWER_NODES):
            yield f"{type(node).__name__} is newer than PostgreSQL 15"


def _complaints_of_query(query: ast.SelectStmt | ast.UpdateStmt | ast.DeleteStmt) -> Iterator[str]:
    read = sources(query)
    distributed = DISTRIBUTED.keys() & set(read)
    if read.count("iu_piece_collection") > 1:
        yield "joins iu_piece_collection to itself"
    if distributed and any(
        isinstance(node, ast.RangeFunction)
        for link in walk(query)
        if isinstance(link, ast.SubLink)
        for node in walk(link)
    ):
        yield "reads a distributed table by a sub-select over a function: fetch it into an array"
    if isinstance(query, ast.SelectStmt) and query.lockingClause:
        if any(not _names_its_row(query, DISTRIBUTED[name]) for name in distributed):
            yield "locks rows of a distributed table by more than their distribution column"
        if any(len(clause.lockedRels or read) != 1 for clause in query.lockingClause):
            yield "locks rows of more than one table"


def _names_its_row(query: ast.SelectStmt, column: str) -> bool:
    """Whether the condition is that the distribution column equals something, and maybe more."""
    where = query.whereClause
    conditions = [where]
    if isinstance(where, ast.BoolExpr) and where.boolop == enums.BoolExprType.AND_EXPR:
        conditions = list(where.args or ())
    for condition in conditions:
        match condition:
            case ast.A_Expr(
                name=(ast.String(sval="="),),
                lexpr=ast.ColumnRef(fields=(*_, ast.String(sval=str(name)))),
            ) if name == column:
                return True
    return False


@pytest.mark.parametrize("file", TREE.objects, ids=lambda file: file.name)
def test_functions_and_views_keep_the_rules(file: SchemaFile) -> None:
    assert [each for statement in statements(file) for each in complaints(statement)] == []


def test_tables_use_nothing_newer_than_postgresql_15() -> None:
    scripts = sorted((root() / "versions").glob("*.sql"))
    assert [
        f"{script.name}: {each}"
        for script in scripts
        for statement in parse(script.read_text("utf-8"))
        for each in complaints(statement)
    ] == []


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        (
            "WITH a AS (INSERT INTO a VALUES (1) RETURNING i) INSERT INTO b SELECT i FROM a",
            "writes twice in one statement",
        ),
        (
            "SELECT FROM iu_core.iu_piece_collection AS c, iu_core.iu_piece_collection AS t",
            "joins iu_piece_collection to itself",
        ),
        (
            "DELETE FROM iu_core.event_outbox WHERE subject_id IN (SELECT * FROM unnest($1))",
            "reads a distributed table by a sub-select over a function: fetch it into an array",
        ),
        (
            "SELECT FROM iu_core.event_outbox AS o WHERE o.domain = 'iu' FOR UPDATE",
            "locks rows of a distributed table by more than their distribution column",
        ),
        ("SELECT FROM a JOIN b ON true FOR SHARE", "locks rows of more than one table"),
        (
            "MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE RETURNING 1",
            "MERGE … RETURNING is newer than PostgreSQL 15",
        ),
        (
            "UPDATE a SET i = 1 RETURNING WITH (OLD AS o) o.i",
            "RETURNING of OLD or NEW is newer than PostgreSQL 15",
        ),
        ("SELECT uuidv7()", "uuidv7 is newer than PostgreSQL 15"),
        ("SELECT '{}' IS JSON", "JsonIsPredicate is newer than PostgreSQL 15"),
        ("SET LOCAL transaction_timeout = '1s'", "transaction_timeout is newer than PostgreSQL 15"),
        (
            "CREATE TABLE a (b text, c text GENERATED ALWAYS AS (upper(b)))",
            "a generated column that is not STORED is newer than PostgreSQL 15",
        ),
    ],
)
def test_a_statement_that_breaks_a_rule_is_seen(sql: str, complaint: str) -> None:
    (statement,) = parse(sql)
    assert list(complaints(statement)) == [complaint]


@pytest.mark.parametrize("language", ["sql", "plpgsql"])
def test_the_bodies_of_functions_are_read(language: str) -> None:
    body = {
        "sql": "SELECT uuidv7()",
        "plpgsql": """
            DECLARE v_all iu_core.thing[]; v_one iu_core.thing; v_id uuid := uuidv7();
            BEGIN
                IF uuidv7() IS NULL THEN v_one.id := uuidv7(); END IF;
                RETURN v_one.id;
            END""",
    }[language]
    sql = f"CREATE FUNCTION iu_core.f() RETURNS uuid LANGUAGE {language} AS $$ {body} $$"
    file = SchemaFile("functions/f.sql", "function", "f", sql, "", ())
    found = [each for statement in statements(file) for each in complaints(statement)]
    assert found == ["uuidv7 is newer than PostgreSQL 15"] * {"sql": 1, "plpgsql": 3}[language]
