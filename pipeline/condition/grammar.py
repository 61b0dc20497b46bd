"""Recursive-descent parser of the grammar below, one method per rule.

::

    any        = all { "or" all }
    all        = negation { "and" negation }
    negation   = "not" negation | "(" any ")" | comparison
    comparison = name [ sign value | "contains" value | [ "not" ] "in" "[" value { "," value } "]"
                      | "is" ( "known" | "unknown" ) ]
    name       = path [ "over" duration ]

Paths, values, durations and signs are tokens (:mod:`pipeline.condition.lexer`).
"""

from collections.abc import Callable
from typing import Final, cast

from pipeline.condition import mistakes
from pipeline.condition.errors import ConditionError
from pipeline.condition.lexer import Token, tokens_of
from pipeline.condition.mistakes import Mistake
from pipeline.condition.syntax import (
    SIGNS,
    Among,
    And,
    Compare,
    Expression,
    Known,
    LiteralKind,
    Name,
    Not,
    Operator,
    Or,
    Truth,
    Value,
)

MAX_DEPTH: Final = 50
"""Maximum nesting of parentheses and ``not``; the limit keeps parsing and compiling within Python's call stack."""


def parse(text: str) -> Expression:
    """Returns the syntax tree of a text.

    Raises:
        ConditionError: the text is not a condition; carries the position and the advice. No other exception is raised.
    """
    reader = _Parser(text)
    if reader.kind() == "end":
        raise reader.wrong(mistakes.EMPTY)
    expression = reader.any_of()
    if reader.kind() != "end":
        raise reader.wrong(mistakes.stray(reader.token))
    return expression


class _Parser:
    """Reads the tokens one at a time, without backtracking."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens_of(text)
        self.token = next(self._tokens)
        self._depth = 0

    def kind(self) -> str:
        return self.token.kind

    def any_of(self) -> Expression:
        return self._joined("or", self._all_of, Or)

    def _all_of(self) -> Expression:
        return self._joined("and", self._negation, And)

    def _joined(self, word: str, part: Callable[[], Expression], join: type[And] | type[Or]) -> Expression:
        parts = [part()]
        while self._take_word(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else join(tuple(parts))

    def _negation(self) -> Expression:
        opening = self.token
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.wrong(mistakes.TOO_DEEP)
        if self._take_word("not"):
            negated: Expression = Not(self._negation())
        elif self._take_word("("):
            negated = self.any_of()
            self._close(")", opening)
        else:
            negated = self._comparison()
        self._depth -= 1
        return negated

    def _comparison(self) -> Expression:
        name, token = self._name(), self.token
        if token.kind == "sign" and token.value in SIGNS:
            self._advance()
            return Compare(name, cast("Operator", token.value), self._value(token, name))
        if self._take_word("contains"):
            return Compare(name, "contains", self._value(token, name))
        if self._take_word("in"):
            return Among(name, self._values())
        if self._take_word("not"):
            if not self._take_word("in"):
                raise self.wrong(mistakes.only_not(name))
            return Among(name, self._values(), negated=True)
        if self._take_word("is"):
            return Known(name, negated=self._unknown(name))
        if mistakes.is_literal(token):
            raise self.wrong(mistakes.no_operator(token))
        return Truth(name)

    def _name(self) -> Name:
        token = self.token
        if token.kind != "name":
            raise self.wrong(mistakes.no_name(token))
        self._advance()
        return Name(token.value, self._window() if self._take_word("over") else 0, token.at)

    def _window(self) -> int:
        token = self.token
        if token.kind == "duration":
            self._advance()
            return int(token.value)
        if token.kind != "number":
            raise self.wrong(mistakes.NO_WINDOW)
        self._advance()
        raise self.wrong(mistakes.after_number(token, self.token) or mistakes.no_unit(token))

    def _unknown(self, name: Name) -> bool:
        if self._take_word("known"):
            return False
        if self._take_word("unknown"):
            return True
        raise self.wrong(mistakes.IS_NOT if self._take_word("not") else mistakes.not_known(name, self.token))

    def _values(self) -> tuple[Value, ...]:
        opening = self.token
        if not self._take_word("["):
            raise self.wrong(mistakes.ROUND_LIST if opening.written == "(" else mistakes.NO_LIST)
        if self._take_word("]"):
            raise self.wrong(mistakes.EMPTY_LIST, opening)
        values = [self._value(opening)]
        while self._take_word(","):
            values.append(self._value(opening))
        self._close("]", opening)
        return tuple(values)

    def _value(self, after: Token, name: Name | None = None) -> Value:
        token = self.token
        if not mistakes.is_literal(token):
            raise self.wrong(mistakes.no_value(token, after, name))
        self._advance()
        if token.kind == "number" and (mistake := mistakes.after_number(token, self.token)):
            raise self.wrong(mistake)
        if token.kind == "keyword":
            return Value("truth", token.value == "true", token.at)
        return Value(cast("LiteralKind", token.kind), token.value, token.at)

    def _close(self, sign: str, opening: Token) -> None:
        if self._take_word(sign):
            return
        token = self.token
        if token.kind == "end":
            raise self.wrong(mistakes.not_closed(opening.written, sign), opening)
        raise self.wrong(mistakes.not_listed(token) if sign == "]" else mistakes.stray(token))

    def _take_word(self, written: str) -> bool:
        if self.token.kind in {"keyword", "sign"} and self.token.value == written:
            self._advance()
            return True
        return False

    def _advance(self) -> None:
        self.token = next(self._tokens)

    def wrong(self, mistake: Mistake, token: Token | None = None) -> ConditionError:
        """Returns the error to raise at ``token``, or at the next token if none is given."""
        return ConditionError(mistake.message, (token or self.token).at, mistake.instead)
