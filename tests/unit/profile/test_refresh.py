from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.identity.profile_id import profile_id
from pipeline.profile.filter import Filter
from pipeline.profile.logic import ProfileLogic
from pipeline.profile.refresh import refresh_due_ms
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.score.rules import ScoreRule, ScoreRules
from pipeline.state.timers import TimerView
from pipeline.testing.store import MemoryStore
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules
from tests.property.profile_histories import START_MS, touch

A = "user_id:a"
PA = profile_id("default", A)
RULES = compile_rules(
    AggregateRules(aggregates=(AggregateRule(name="views", windows=("1h", "24h", "90d")),)),
    ScoreRules(scores=(ScoreRule(name="view", points=8, filter=Filter(), half_life_ms=DAY_MS),)),
    TriggerRules(),
)


def test_a_profile_is_due_when_its_shortest_windows_have_emptied_and_then_daily_until_the_longest_has() -> None:
    assert refresh_due_ms(0, 0, DAY_MS) == HOUR_MS
    assert refresh_due_ms(HOUR_MS, 0, DAY_MS) == DAY_MS
    assert refresh_due_ms(DAY_MS, 0, DAY_MS) == 2 * DAY_MS
    assert refresh_due_ms(90 * DAY_MS, 0, DAY_MS) == 91 * DAY_MS
    assert refresh_due_ms(91 * DAY_MS, 0, DAY_MS) == FOREVER
    assert refresh_due_ms(0, 0, 0) == FOREVER


def test_published_windows_and_scores_follow_the_clock_with_no_event() -> None:
    table: MemoryTable[ProfileRow] = MemoryTable()
    timers = TimerView(MemoryStore())
    logic = ProfileLogic(RULES, table, timers, refresh_ms=DAY_MS)
    (update,) = logic.on_batch([(PA, touch(1, 0, A))], START_MS).updates
    seen = [(update.as_of_ms, update.aggregates["views"].last_1h, update.scores["engagement"])]
    now_ms = START_MS
    while due := timers.take(now_ms + 200 * DAY_MS, 1):
        now_ms = due[0][0]
        applied = logic.on_time(due, now_ms)
        (update,) = logic.evaluate(applied.changed, now_ms).updates
        seen.append((update.as_of_ms, update.aggregates["views"].last_1h, update.scores["engagement"]))
    moments = [at_ms - START_MS for at_ms, _, _ in seen]
    assert moments[:4] == [0, HOUR_MS, DAY_MS, 2 * DAY_MS]
    assert (moments[-1], len(moments)) == (91 * DAY_MS, 93)
    assert [views for _, views, _ in seen] == [1, *[0] * 92]
    assert [round(score, 2) for _, _, score in seen[:4]] == [8.0, 7.77, 4.0, 2.0]
    assert update.aggregates["views"].last_90d == 0


def test_a_busy_profile_has_one_timer_and_a_superseded_entry_has_no_effect() -> None:
    table: MemoryTable[ProfileRow] = MemoryTable()
    timers = TimerView(MemoryStore())
    logic = ProfileLogic(RULES, table, timers, refresh_ms=DAY_MS)
    for number in range(50):
        logic.on_batch([(PA, touch(number, number * 60_000, A))], 0)
    (timer,) = timers.take(START_MS + 200 * DAY_MS, 10)
    assert timer == (START_MS + HOUR_MS, PA)
    assert logic.on_time([(timer[0] - 5, PA), (timer[0], "nobody")], timer[0]).changed == {}
    assert list(logic.on_time([timer], timer[0]).changed) == [PA]
