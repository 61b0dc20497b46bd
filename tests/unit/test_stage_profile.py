from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.stream.simulate import Simulation
from pipeline.stream.stages.profile import PROFILE


def test_in_a_replay_nothing_is_due_before_the_first_event() -> None:
    """Its clock then shows less than the lateness, and a moment before 1970 has no place among the timers."""
    simulation = Simulation(Settings(clock="stream"), load_rules(), clock=lambda: 0)
    assert simulation._stages[PROFILE.name].tick() == 0
