"""Prints the graph of packages, each after the packages that it imports. Fails if they import each other in a cycle.

With the name of a package or module, such as ``pipeline.stream``, prints instead every package it imports, directly or
through others.
"""

import sys
from graphlib import CycleError, TopologicalSorter

import grimp

ROOTS = ("pipeline", "connectors", "schemas")


def package_of(module: str) -> str:
    """Returns the package below the root that a module is in, such as ``pipeline.event``; a lone module is its own."""
    return ".".join(module.split(".")[:2])


def graph_of(imports: grimp.ImportGraph) -> dict[str, set[str]]:
    """Returns the packages that each package imports. Leaves out the packages' roots, which only hold docstrings."""
    graph: dict[str, set[str]] = {package_of(name): set() for name in imports.modules if name not in ROOTS}
    for module in imports.modules - set(ROOTS):
        for imported in imports.find_modules_directly_imported_by(module) - set(ROOTS):
            if package_of(imported) != package_of(module):
                graph[package_of(module)].add(package_of(imported))
    return dict(sorted(graph.items()))


def main(arguments: list[str]) -> int:
    """Prints the graph. Returns exit code 1 if it has a cycle, else 0."""
    imports = grimp.build_graph(*ROOTS)
    if arguments:
        below = imports.find_upstream_modules(arguments[0], as_package=True)
        print(f"{arguments[0]} imports: {' '.join(sorted({package_of(name) for name in below}))}")
        return 0
    graph = graph_of(imports)
    try:
        order = list(TopologicalSorter({package: sorted(below) for package, below in graph.items()}).static_order())
    except CycleError as error:
        print("cycle:", " -> ".join(reversed(error.args[1])), file=sys.stderr)
        return 1
    for package in order:
        print(f"{package}: {' '.join(sorted(graph[package])) or '-'}")
    print(f"{len(order)} packages and modules, no cycle")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
