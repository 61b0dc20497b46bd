"""The condition language of the rules: marketers can read it and programs can check it.

    spent.EUR over 30 d >= 500 and orders over 90 d >= 3
    last_order > 31 d
    traits.plan = "gold" and (score.engagement >= 50 or not segment.dormant)
    traits.country in ["DE", "AT"] and traits.phone is known and traits.tags contains "b2b"
    consent.marketing/email = true

**Names** are words joined by dots, with ``over DURATION`` for a window. A part that contains spaces or punctuation is
written in backticks (``traits.`favourite colour` ``). **Values** are numbers, texts in quotes, ``true`` and ``false``,
and durations (``1 h 30 min``). **Operators** are ``= != < <= > >=``, ``contains`` (a substring of a text, an item of a
list), ``in [..]``, ``not in [..]``, ``is known`` and ``is unknown``. A name that is true or false is a condition by
itself. Conditions are combined with ``not``, ``and`` and ``or``, in this order of precedence, and with parentheses.
Keywords are case-insensitive.

Numbers compare with numbers only. Texts compare with texts only, character by character, so dates such as
``"2026-03-01"`` sort by time. ``true`` is not 1. **An unknown value fails every operator** except ``is unknown``,
``!=`` and ``not in``: ``traits.plan != "gold"`` holds for a profile without a plan.

:func:`pipeline.condition.grammar.parse` reads a text. :func:`pipeline.condition.compiler.compile_condition` compiles it
into two functions of the facts: whether the condition holds, and its due time. The caller defines the available names
(:mod:`pipeline.condition.operand`); this package does not depend on profiles.
"""
