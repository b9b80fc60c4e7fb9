"""A function fits on a screen, a class on three: what is longer has more than one subject."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTION_LINES, CLASS_LINES = 70, 250


def too_long() -> list[str]:
    """Every function and class of the product beyond its limit, with its length."""
    found = []
    for folder in ("schemas", "streams"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    limit = FUNCTION_LINES
                elif isinstance(node, ast.ClassDef):
                    limit = CLASS_LINES
                else:
                    continue
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > limit:
                    found.append(f"{file.relative_to(ROOT)}: {node.name} has {lines} lines")
    return found


def test_no_function_and_no_class_is_too_long() -> None:
    assert too_long() == []
