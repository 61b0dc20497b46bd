"""The people of the shop day and the identifiers that their events carry."""

from random import Random

import msgspec

from pipeline.event.identifier import Identifier, identifier

_FIRST = (
    "Ada", "Aiko", "Amara", "Ben", "Carla", "Chen", "Dario", "Dina", "Elif", "Emil", "Farid", "Freya", "Gita", "Hugo",
    "Ines", "Ivan", "Jamal", "Jonas", "Kaya", "Lena", "Luca", "Maya", "Mira", "Nils", "Noor", "Omar", "Paula", "Quinn",
    "Rosa", "Sami", "Tara", "Uma", "Viktor", "Wanda", "Yara", "Zoe",
)  # fmt: skip
_LAST = (
    "Abara", "Berg", "Castro", "Diaz", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jansen", "Khan", "Larsen",
    "Moreau", "Novak", "Okafor", "Park", "Quist", "Rossi", "Silva", "Tanaka", "Ueda", "Vogel", "Weber", "Xu", "Young",
    "Zhou",
)  # fmt: skip
_DOMAINS = ("example.com", "example.net", "example.org")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person. An empty field means that the person does not have such an identifier."""

    number: int
    first_name: str
    last_name: str
    user_id: str
    email: str
    phone: str
    """E.164."""
    browsers: tuple[str, ...]
    """Anonymous ids, one per browser."""
    device: str
    card: str
    """Number of the loyalty card."""
    contact: str
    """Contact id in the CRM."""
    hot: bool
    """Becomes a lead during the day."""
    known: bool
    """Logs in during the day, which links browsers, device and card. The profiles of all others stay separate."""

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """Returns the person's identifiers, normalised, without the click ids of ads."""
        pairs = (
            ("user_id", self.user_id),
            ("crm_contact_id", self.contact),
            ("loyalty_id", self.card),
            ("email", self.email),
            ("phone", self.phone),
            ("device_id", self.device),
            *(("anonymous_id", browser) for browser in self.browsers),
        )
        return tuple(identifier(kind, value) for kind, value in pairs if value)


def make_people(random: Random, count: int) -> list[Person]:
    """Returns ``count`` people without shared identifiers. About one in twenty-five is a later lead."""
    return [_person(random, number) for number in range(count)]


def _person(random: Random, number: int) -> Person:
    first, last = random.choice(_FIRST), random.choice(_LAST)
    hot = number % 25 == 3
    known = hot or random.random() < 0.62
    browsers = 1 + (random.random() < 0.35)
    return Person(
        number=number,
        first_name=first,
        last_name=last,
        user_id=f"u{10_000 + number}" if known else "",
        email=f"{first}.{last}{number}@{random.choice(_DOMAINS)}".lower(),
        phone=f"+1415{2_000_000 + number * 397 % 7_000_000:07d}" if random.random() < 0.5 else "",
        browsers=tuple(f"{random.getrandbits(64):016x}" for _ in range(browsers)),
        device=f"{random.getrandbits(64):016x}" if random.random() < 0.3 else "",
        card=f"4{number:07d}" if hot or random.random() < 0.35 else "",
        contact=f"003{number:09d}" if hot or random.random() < 0.25 else "",
        hot=hot,
        known=known,
    )
