"""``python -m pipeline.cli``: how a supervisor starts its workers."""

from pipeline.cli import main

main()
