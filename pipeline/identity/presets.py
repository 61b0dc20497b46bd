"""Presets: well-known behaviours by name, expanded into policies and limits."""

from msgspec.structs import replace

from pipeline.identity.rules import IdentityRules, IdentityType, Policy, Preset

POLICIES: dict[Preset, Policy] = {
    "none": "latest",
    "last-authenticated-owns-device": "latest",
    "first-keeps": "first",
    "never-merge-identified": "isolate",
    "logout-resets": "latest",
}
LOGOUT_EVENTS = ["Logged Out", "logout"]


def spelled_out(rules: IdentityRules) -> IdentityRules:
    """Returns the rules with the preset expanded: every type names its policy.

    Every preset except ``none`` also limits the strongest declared type to "1 ever" if that type has no limits, so that
    two identified customers are never merged. ``logout-resets`` also declares the usual log-out events.
    """
    policy = POLICIES[rules.preset]
    strongest = min((kind.priority for kind in rules.types if not kind.must_agree), default=0)
    types = [
        _filled(kind, policy, single=rules.preset != "none" and kind.priority == strongest and not kind.must_agree)
        for kind in rules.types
    ]
    events = rules.logout_events or (LOGOUT_EVENTS if rules.preset == "logout-resets" else [])
    return replace(rules, preset="none", types=types, logout_events=events)


def _filled(kind: IdentityType, policy: Policy, *, single: bool) -> IdentityType:
    if kind.policy == "by-preset":
        kind = replace(kind, policy=policy)
    return replace(kind, limits=["1 ever"]) if single and not kind.limits else kind
