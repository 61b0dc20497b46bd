"""The rules, compiled: what the hot path asks about an identifier answered with one dictionary look-up."""

from pipeline.event.identifier import Identifier
from pipeline.identity.rules import IdentityRules, IdentityType


class Rulebook:
    """Strength of identifiers under ``rules``; strength is a total order, so either end of a link is the weaker."""

    def __init__(self, rules: IdentityRules) -> None:
        self.rules = rules
        self._kinds: dict[str, IdentityType] = {kind.name: kind for kind in rules.types}
        self._undeclared = max((kind.priority for kind in rules.types), default=0) + 1

    def kind(self, ident: Identifier) -> IdentityType:
        """The declaration of the identifier's type."""
        name = ident.partition(":")[0]
        found = self._kinds.get(name)
        if found is None:
            found = self._kinds[name] = IdentityType(name=name, priority=self._undeclared)
        return found

    def strength(self, ident: Identifier) -> tuple[int, str, Identifier]:
        """Sorts strongest first: by priority, then type name, then text."""
        kind = self.kind(ident)
        return kind.priority, kind.name, ident

    def ends(self, a: Identifier, b: Identifier) -> tuple[Identifier, Identifier]:
        """The stronger, then the weaker of two identifiers."""
        return (a, b) if self.strength(a) <= self.strength(b) else (b, a)

    def older(self, since_a: int, a: Identifier, since_b: int, b: Identifier) -> bool:
        """Whether ``a``, first seen at ``since_a`` ms, founds a profile rather than ``b``: age, then strength."""
        if since_a != since_b:
            return since_a < since_b
        return self.strength(a) < self.strength(b)
