"""Checks that no file exceeds 400 lines and no function 60."""

import ast
import subprocess
import sys
from pathlib import Path

FILE_LINES, FUNCTION_LINES = 400, 60


def _too_long(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    found = [f"{path}: {lines} lines, the limit is {FILE_LINES}"] if lines > FILE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES:
                found.append(f"{path}:{node.lineno}: {node.name} has {size} lines, the limit is {FUNCTION_LINES}")
    return found


def main() -> int:
    """Prints every file and function over the limit. Returns exit code 1 if there is one, else 0."""
    listing = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    problems = [line for name in listing.split() if Path(name).exists() for line in _too_long(Path(name))]
    print("\n".join(problems) or f"sizes: {len(listing.split())} files within {FILE_LINES}/{FUNCTION_LINES} lines")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
