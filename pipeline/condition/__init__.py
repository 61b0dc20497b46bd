"""The condition language: what rules ask of somebody, in words that marketers read and programs check.

    spent.EUR over 30 d >= 500 and orders over 90 d >= 3
    last_order > 31 d
    traits.plan = "gold" and (score.engagement >= 50 or not segment.dormant)
    traits.country in ["DE", "AT"] and traits.phone is known and traits.tags contains "b2b"
    consent.marketing/email = true

**Names** are words joined by dots, with ``over DURATION`` for a window; a part with blanks or signs in it stands in
backticks (``traits.`favourite colour` ``). **Values** are numbers, texts in quotes, ``true`` and ``false``, durations
(``1 h 30 min``). **Operators** are ``= != < <= > >=``, ``contains`` (a part of a text, an item of a list), ``in [..]``,
``not in [..]``, ``is known``, ``is unknown``. A name that is true or false is a condition by itself. Conditions are
joined by ``not``, ``and``, ``or``, which bind in this order, and parentheses. Keywords may be written in any case.

Numbers compare with numbers only, texts with texts only (in the order of their characters, so dates like
``"2026-03-01"`` are in the order of time), and true is not 1. **What is unknown fails every operator** but
``is unknown``, ``!=`` and ``not in``: ``traits.plan != "gold"`` holds for somebody without a plan.

:func:`pipeline.condition.grammar.parse` reads a text, :func:`pipeline.condition.compiler.compile_condition` makes it a
function of facts that also says when it must be asked again. What names there are is the caller's to say
(:mod:`pipeline.condition.operand`); nothing here knows of profiles.
"""
