"""Expressions from operators, in CEL: bounded before they are evaluated, never silently false."""

from app.expressions.cost import Budget
from app.expressions.expression import (
    OF_EVENTS,
    OF_WEBHOOKS,
    Expression,
    Wanted,
    compile_expression,
)
from app.expressions.prepared import Prepared
from app.expressions.syntax import FlawedExpressionError
from app.expressions.verdict import Failure, Verdict

__all__ = [
    "OF_EVENTS",
    "OF_WEBHOOKS",
    "Budget",
    "Expression",
    "Failure",
    "FlawedExpressionError",
    "Prepared",
    "Verdict",
    "Wanted",
    "compile_expression",
]
