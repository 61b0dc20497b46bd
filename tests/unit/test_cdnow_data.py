from tests.acceptance import cdnow


def test_the_log_is_the_published_one():
    expected = cdnow.expected()

    assert len(cdnow.purchases()) == 69_659
    assert len(expected) == 23_570
    assert sum(customer.purchases for customer in expected.values()) == 69_659
    assert sum(customer.total_minor for customer in expected.values()) == 250_031_563


def test_events_are_sorted_by_time_and_each_has_its_own_message_id():
    events = list(cdnow.events())

    times = [event["timestamp"] for event in events]
    assert times == sorted(times)
    assert len({event["messageId"] for event in events}) == 69_659
    assert (times[0], times[-1]) == (852_076_800_000, 899_164_800_000)  # 1997-01-01 and 1998-06-30, midnight UTC


def test_a_customer_is_folded_as_one_does_by_hand():
    # 00004 bought on 1997-01-01 (29.33), 1997-01-18 (29.73), 1997-08-02 (14.96) and 1997-12-12 (26.48)
    customer = cdnow.expected()["00004"]

    assert (customer.purchases, customer.total_minor) == (4, 10_050)
    assert (customer.purchases_30d, customer.purchases_90d) == (0, 0)
