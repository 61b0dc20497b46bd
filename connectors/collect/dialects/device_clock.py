"""Hands a device's clock to the correction of :mod:`pipeline.event.event_time`."""

from connectors.collect.dialects.parsed import Document


def note_sent_at(document: Document, sent_at: object) -> None:
    """Sets ``sentAt`` and ``originalTimestamp``, in place, of a document whose times are by the device's clock.

    A document that a server has corrected, which has ``receivedAt``, stays as it is.
    """
    if sent_at in (None, "") or "receivedAt" in document:
        return
    document["sentAt"] = sent_at
    if "originalTimestamp" not in document and document.get("timestamp") is not None:
        document["originalTimestamp"] = document.pop("timestamp")
