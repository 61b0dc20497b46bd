"""The shop day: the events of all people over 24 hours, in order of time.

The morning is anonymous: browsers, devices, cards and addresses appear separately. From noon on people log in, and many
profiles merge into few customers. In the afternoon some become leads, each after requesting a quote.
"""

from collections.abc import Iterator
from itertools import chain
from random import Random

import msgspec

from pipeline.demo.people import Person, make_people
from pipeline.demo.visits import EventWriter, JsonEvent, at
from pipeline.event.duration import DAY_MS

_ZIPF = 0.85
"""Exponent of activity by rank: the most active person has about a hundred times the events of the least active."""
_MIN_EVENTS = 6
_PAUSE_SECONDS = 40.0
"""Mean time between two steps of one visit."""

_Visit = tuple[float, Iterator[JsonEvent]]
"""Start as a share of the day, and the events without their times."""


class ShopDay(msgspec.Struct, frozen=True):
    """The day's events, oldest first, and the people behind them."""

    events: list[JsonEvent]
    people: list[Person]
    end_ms: int
    """Time of the last event."""


def shop_day(end_ms: int, *, seed: int = 7, people: int = 2000, events: int = 50_000) -> ShopDay:
    """Returns a day that ends at ``end_ms``. The same arguments give the same events, byte for byte.

    The last event is at ``end_ms``, the first at most 24 hours earlier. No two people share an identifier.

    Raises:
        ValueError: ``events`` is less than six per person.
    """
    if events < people * _MIN_EVENTS:
        message = f"{people} people need at least {people * _MIN_EVENTS} events"
        raise ValueError(message)
    random = Random(seed)  # noqa: S311 - a story, not a secret
    everyone = make_people(random, people)
    timed: list[tuple[int, JsonEvent]] = []
    for person, quota in zip(everyone, _quotas(random, everyone, events), strict=True):
        timed.extend(_day_of(random, person, quota, end_ms - DAY_MS, end_ms))
    timed.sort(key=lambda pair: (pair[0], pair[1]["messageId"]))
    late_ms = end_ms - timed[-1][0]
    return ShopDay([at(event, moment + late_ms) for moment, event in timed], everyone, end_ms)


def _quotas(random: Random, everyone: list[Person], events: int) -> list[int]:
    """Returns the number of events per person; they sum up to ``events``.

    Numbers follow Zipf's law over a random ranking, with later leads in its upper half.
    """
    ranking = sorted(everyone, key=lambda person: random.random() * (0.4 if person.hot else 1.0))
    weights = [(rank + 10) ** -_ZIPF for rank in range(len(ranking))]
    spare, total = events - len(ranking) * _MIN_EVENTS, sum(weights)
    quotas = [_MIN_EVENTS + int(spare * weight / total) for weight in weights]
    for rank in range(events - sum(quotas)):
        quotas[rank % len(quotas)] += 1
    by_number = {person.number: quota for person, quota in zip(ranking, quotas, strict=True)}
    return [by_number[person.number] for person in everyone]


def _day_of(random: Random, person: Person, quota: int, start_ms: int, end_ms: int) -> Iterator[tuple[int, JsonEvent]]:
    """Yields times and events of one person: the story first, then ordinary visits up to ``quota`` events."""
    writer = EventWriter(random, person)
    login = random.uniform(0.5, 0.85) if person.known else 2.0
    count = 0
    for share, visit in chain(_story(random, person, writer, login), _habit(random, person, writer, login)):
        moment = start_ms + int(share * (end_ms - start_ms))
        for event in visit:
            yield min(moment, end_ms), event
            moment += 1 + int(random.expovariate(1 / _PAUSE_SECONDS) * 1000)
            count += 1
            if count == quota:
                return


def _story(random: Random, person: Person, writer: EventWriter, login: float) -> Iterator[_Visit]:
    """Yields the visits that happen once: separate identifiers before noon, log-ins after it, and a quote for leads."""
    home = person.browsers[0]
    if person.known:
        for browser in person.browsers:
            yield login + random.uniform(0, 0.05), writer.log_in(browser)
    if person.hot:
        yield login + random.uniform(0.06, 0.12), writer.planning(home)
    if person.known and person.device:
        yield login + random.uniform(0, 0.1), writer.app_log_in()
    if person.device:
        yield random.uniform(0.02, 0.45), writer.app(installed=True, logged_in=False)
    if person.card:
        yield random.uniform(0.1, 0.6), writer.store(receipt_by_mail=random.random() < 0.2)
    if person.contact:
        yield random.uniform(0.1, 0.5), writer.contact()
    if person.hot or random.random() < 0.3:
        yield random.uniform(0.02, 0.4), writer.ad_click(random.choice(person.browsers))
    for browser in person.browsers:
        yield random.uniform(0.01, 0.4), writer.visit(browser, logged_in=False)


def _habit(random: Random, person: Person, writer: EventWriter, login: float) -> Iterator[_Visit]:
    """Yields ordinary visits without end, most of them around midday. ``login`` is a share of the day."""
    while True:
        share = random.betavariate(2.5, 2.0) * 0.97
        dice = random.random()
        browser = random.choice(person.browsers)
        if dice < 0.3:
            yield share, writer.mail(clicked=random.random() < 0.4)
        elif dice < 0.5 and person.device:
            yield share, writer.app(installed=False, logged_in=share > login + 0.1)
        elif dice < 0.56 and person.card:
            yield share, writer.store(receipt_by_mail=False)
        else:
            yield share, writer.visit(browser, logged_in=share > login + 0.06)
