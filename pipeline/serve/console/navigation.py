"""The pages that the navigation shows to a role."""

from typing import Final, NamedTuple

from pipeline.serve.signin.roles import Right
from pipeline.serve.signin.users import User


class Item(NamedTuple):
    """One link of the navigation."""

    path: str
    label: str
    right: Right


class Section(NamedTuple):
    """A group of links."""

    label: str
    items: list[Item]


_ALL: Final = (
    Section("", [
        Item("/", "Overview", Right.READ),
        Item("/customers", "Customers", Right.READ),
        Item("/accounts", "Accounts", Right.READ),
        Item("/leads", "Leads", Right.READ),
    ]),
    Section("Rules", [
        Item("/segments", "Segments", Right.READ),
        Item("/triggers", "Triggers", Right.READ),
        Item("/rules", "Rules in force", Right.READ),
    ]),
    Section("Operation", [
        Item("/sources", "Sources", Right.READ),
        Item("/quarantine", "Quarantine", Right.OPERATE),
        Item("/privacy", "Privacy", Right.PRIVACY),
        Item("/users", "Users", Right.ADMIN),
        Item("/audit", "Personal reads", Right.ADMIN),
    ]),
)  # fmt: skip


def sections_for(user: User) -> list[Section]:
    """Returns the sections with the links that the user may follow."""
    allowed = (section._replace(items=[item for item in section.items if user.may(item.right)]) for section in _ALL)
    return [section for section in allowed if section.items]
