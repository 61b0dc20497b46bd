"""The job on Quix Streams, as its documentation shows it: a stateful apply, exactly once. Runs in a venv of its own."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from quixstreams import Application, State

from tests.bench.engines import job

app = Application(
    broker_address=job.BROKERS,
    consumer_group=job.NAME,
    auto_offset_reset="earliest",
    processing_guarantee="exactly-once",
    commit_interval=job.COMMIT_SECONDS,
    state_dir=f"{job.HOME}/quix",
    loglevel="WARNING",
)
events = app.topic(job.EVENTS_TOPIC, key_deserializer="str", value_deserializer="bytes")
updates = app.topic(job.PROFILES_TOPIC, value_serializer="json")
segments = app.topic(job.SEGMENTS_TOPIC, value_serializer="json")
leads = app.topic(job.LEADS_TOPIC, value_serializer="json")


def process(value: bytes, key: str, _timestamp: int, _headers: object, state: State) -> list[dict]:
    """Returns the profile to publish, with a mark if the customer has just become a lead; nothing for a repetition."""
    now_ms = int(time.time() * 1000)
    event = job.checked(job.decode(value), now_ms)
    if event is None:
        return []
    seen = f"seen/{job.message_id(event)}"
    if state.exists(seen):
        return []
    state.set(seen, value=True)
    profile = state.get("profile") or job.new_profile()
    became_lead = job.apply(profile, event)
    update = job.update_of(key, profile, now_ms)
    state.set("profile", profile)
    return [{**update, "became_lead": became_lead}]


stream = app.dataframe(events).apply(process, stateful=True, metadata=True, expand=True)
stream.to_topic(updates)
stream.apply(lambda update: update["segment_changes"], expand=True).to_topic(segments)
stream.filter(lambda update: update["became_lead"]).to_topic(leads)

if __name__ == "__main__":
    app.run()
