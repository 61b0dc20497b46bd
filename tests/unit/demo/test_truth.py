from pipeline.demo.people import Person
from pipeline.demo.truth import Known, judge


def person(number: int, *, known: bool = True) -> Person:
    return Person(
        number=number,
        first_name="Ada",
        last_name="Berg",
        user_id=f"u{number}" if known else "",
        email=f"p{number}@example.com",
        phone="",
        browsers=(f"b{number}",),
        device="",
        card="",
        contact="",
        hot=known,
        known=known,
    )


def update(profile_id: str, identifiers: list[str], events: int, status: str = "active") -> dict:
    counted = {"events": {"lifetime": events}} if events else {}
    return {"profile_id": profile_id, "status": status, "identifiers": identifiers, "aggregates": counted}


def known(*updates: dict) -> Known:
    result = Known()
    for item in updates:
        result.take(item)
    return result


PEOPLE = [person(0), person(1), person(2, known=False)]
EVENTS = [
    {"type": "page", "anonymousId": "b0"},
    {"type": "identify", "userId": "u0", "anonymousId": "b0"},
    {"type": "track", "event": "quote_requested", "userId": "u0"},
    {"type": "page", "anonymousId": "b2"},
]


def test_a_day_that_was_understood_is_true():
    verdict = judge(
        PEOPLE,
        EVENTS,
        known(
            update("lost", ["anonymous_id:b0"], 1),
            update("a", ["anonymous_id:b0", "user_id:u0"], 3),
            update("lost", [], 0, "merged"),
            update("c", ["anonymous_id:b2"], 1),
        ),
        {"a"},
    )

    assert verdict.is_true
    assert (verdict.events_counted, verdict.customers, verdict.identifiers) == (4, 2, 3)
    assert (verdict.people_logged_in, verdict.people_whole) == (1, 1)
    assert (verdict.planners, verdict.planners_found) == (1, 1)


def test_a_lost_or_doubled_event_is_detected():
    whole = update("a", ["anonymous_id:b0", "user_id:u0"], 3)
    for events in (0, 2):
        assert not judge(PEOPLE, EVENTS, known(whole, update("c", ["anonymous_id:b2"], events)), {"a"}).is_true


def test_a_split_person_is_detected():
    result = known(
        update("a", ["user_id:u0"], 2), update("b", ["anonymous_id:b0"], 1), update("c", ["anonymous_id:b2"], 1)
    )
    verdict = judge(PEOPLE, EVENTS, result, {"a"})

    assert (verdict.people_logged_in, verdict.people_whole) == (1, 0)
    assert not verdict.is_true


def test_two_people_in_one_customer_are_detected():
    verdict = judge(PEOPLE, EVENTS, known(update("a", ["anonymous_id:b0", "user_id:u0", "anonymous_id:b2"], 4)), {"a"})

    assert verdict.mixed == 1
    assert not verdict.is_true


def test_a_quote_without_a_lead_is_detected():
    result = known(update("a", ["anonymous_id:b0", "user_id:u0"], 3), update("c", ["anonymous_id:b2"], 1))

    assert not judge(PEOPLE, EVENTS, result, {"c"}).is_true
