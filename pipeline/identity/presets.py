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
MEANINGS: dict[Preset, str] = {
    "none": "the newest link keeps an identifier; no limit is implied",
    "last-authenticated-owns-device": "what two customers share belongs to the one seen with it last",
    "first-keeps": "what two customers share stays with the one seen with it first",
    "never-merge-identified": "what two customers share belongs to neither",
    "logout-resets": "as last-authenticated-owns-device, and a log-out leaves a fresh anonymous profile",
}
"""What each preset does, in a sentence."""


def implied(rules: IdentityRules) -> list[str]:
    """Returns what the preset adds to the rules as declared, a line each: policies, limits, log-out events."""
    full = spelled_out(rules)
    pairs = list(zip(rules.types, full.types, strict=True))
    lines = [f"preset {rules.preset}: {MEANINGS[rules.preset]}"]
    policies: dict[Policy, list[str]] = {}
    for before, after in pairs:
        if before.policy != after.policy and not after.must_agree:
            policies.setdefault(after.policy, []).append(after.name)
    lines += [f"implied policy {policy}: {', '.join(names)}" for policy, names in policies.items()]
    limited = [after for before, after in pairs if before.limits != after.limits]
    lines += [f"implied limits {kind.limits} of {kind.name}" for kind in limited]
    if full.logout_events != rules.logout_events:
        lines.append(f"implied log-out events: {', '.join(full.logout_events)}")
    elif full.logout_events:
        lines.append(f"declared log-out events: {', '.join(full.logout_events)}")
    return lines


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
