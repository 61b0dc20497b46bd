"""The job on plain Faust, as its documentation shows it: an agent, two tables on RocksDB, at least once."""

import json
import time

import faust

from tests.bench.engines import job

app = faust.App(
    job.NAME,
    broker=f"kafka://{job.BROKERS}",
    store="rocksdb://?driver=rocksdict",
    datadir=f"{job.HOME}/faust",
    topic_partitions=4,
    web_enabled=False,
    broker_commit_interval=job.COMMIT_SECONDS,
    stream_wait_empty=False,
    topic_disable_leader=True,
)
events = app.topic(job.EVENTS_TOPIC, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
profiles = app.Table("profiles-state", default=job.new_profile, partitions=4)
seen = app.Table("seen-state", default=bool, partitions=4)
updates = app.topic(job.PROFILES_TOPIC, value_serializer="raw", partitions=4)
segments = app.topic(job.SEGMENTS_TOPIC, value_serializer="raw", partitions=4)
leads = app.topic(job.LEADS_TOPIC, value_serializer="raw", partitions=4)


@app.agent(events)
async def process(stream: faust.Stream[bytes]) -> None:
    """Books each event and publishes its customer's profile."""
    async for key, value in stream.items():
        now_ms = int(time.time() * 1000)
        event = job.checked(job.decode(value), now_ms)
        if event is None or seen[job.message_id(event)]:
            continue
        seen[job.message_id(event)] = True
        user = key.decode()
        profile = profiles[user]
        became_lead = job.apply(profile, event)
        update = job.update_of(user, profile, now_ms)
        profiles[user] = profile
        await updates.send(key=user, value=json.dumps(update).encode())
        for change in update["segment_changes"]:
            await segments.send(key=user, value=json.dumps(change).encode())
        if became_lead:
            await leads.send(key=user, value=json.dumps({"user": user, "score": job.score(profile)}).encode())


if __name__ == "__main__":
    app.main()
