"""The pages behind `type`: what a refusal means, and what helps."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from app.errors import CATALOGUE, Refusal
from app.http.address import preferred
from app.http.document import document
from app.http.pages import HTML, VARY, page_response
from app.http.problem_pages import list_page, one_page
from app.http.route import FactoryRoute, produces
from app.problems import refusals
from app.schemas.base import PATH_SEGMENT
from app.schemas.problems import ExplainedProblem, ExplainedProblems
from app.strict_json import JSON

router = APIRouter(tags=["problems"], route_class=FactoryRoute)

_ALSO_A_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {HTML: {"schema": {"type": "string"}}}}
}


@router.get("/problems", response_model=ExplainedProblems, responses=_ALSO_A_PAGE)
@produces(HTML, JSON)
async def list_problems(request: Request) -> Response:
    """List every refusal: a page for people, or JSON for who asks for it."""
    explained = [ExplainedProblem.of(spec) for spec in CATALOGUE.values()]
    if preferred(request.scope, (HTML, JSON)) == HTML:
        return page_response(list_page(explained))
    return document(ExplainedProblems(problems=explained), 200, VARY)


@router.get(
    "/problems/{code}",
    response_model=ExplainedProblem,
    responses={**_ALSO_A_PAGE, **refusals("problem_not_found")},
)
@produces(HTML, JSON)
async def explain_problem(
    request: Request,
    code: Annotated[
        str, Path(pattern=PATH_SEGMENT, description="The `code`.", examples=["invalid_input"])
    ],
) -> Response:
    """Explain one refusal and its remedy: a page for people, or JSON for who asks for it."""
    spec = CATALOGUE.get(code)
    if spec is None:
        raise Refusal("problem_not_found")
    explained = ExplainedProblem.of(spec)
    if preferred(request.scope, (HTML, JSON)) == HTML:
        return page_response(one_page(explained))
    return document(explained, 200, VARY)
