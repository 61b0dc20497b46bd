"""What a developer pastes into a page or an app so that a source's SDK sends to the collector: one text a dialect.

The options are those of the SDK versions that the documentation names, whose requests are the tests' fixtures.
"""

from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from pipeline.rules.sources import Dialect

KEY: Final = "WRITE_KEY"
"""Stands for the write key, of which only the hash is stored."""

_SEGMENT: Final = """\
// Browser: npm install @segment/analytics-next
import { AnalyticsBrowser } from "@segment/analytics-next";
const analytics = AnalyticsBrowser.load(
  { writeKey: "%(key)s", cdnURL: "%(url)s" },
  { integrations: { "Segment.io": { apiHost: "%(host)s/v1", protocol: "%(scheme)s" } } },
);
analytics.page();

// Node: npm install @segment/analytics-node
import { Analytics } from "@segment/analytics-node";
const analytics = new Analytics({ writeKey: "%(key)s", host: "%(url)s" });

# Python: pip install segment-analytics-python
import segment.analytics as analytics
analytics.write_key, analytics.host = "%(key)s", "%(url)s"
"""
_RUDDERSTACK: Final = """\
// Browser: npm install @rudderstack/analytics-js
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";
const analytics = new RudderAnalytics();
analytics.load("%(key)s", "%(url)s", { configUrl: "%(url)s" });
analytics.page();

// Node: npm install @rudderstack/rudder-sdk-node
import RudderAnalytics from "@rudderstack/rudder-sdk-node";
const analytics = new RudderAnalytics("%(key)s", { dataPlaneUrl: "%(url)s" });

# Python: pip install rudder-sdk-python
import rudderstack.analytics as analytics
analytics.write_key, analytics.dataPlaneUrl = "%(key)s", "%(url)s"
"""
_POSTHOG: Final = """\
// Browser: npm install posthog-js
import posthog from "posthog-js";
posthog.init("%(key)s", { api_host: "%(url)s" });

// Node: npm install posthog-node
import { PostHog } from "posthog-node";
const posthog = new PostHog("%(key)s", { host: "%(url)s" });

# Python: pip install posthog
from posthog import Posthog
posthog = Posthog("%(key)s", host="%(url)s")
"""
_SNOWPLOW: Final = """\
// Browser: npm install @snowplow/browser-tracker
import { newTracker, trackPageView } from "@snowplow/browser-tracker";
newTracker("sp", "%(url)s", { appId: "%(key)s" });
trackPageView();

// Node: npm install @snowplow/node-tracker
import { newTracker } from "@snowplow/node-tracker";
const tracker = newTracker({ namespace: "sp", appId: "%(key)s" }, { endpoint: "%(url)s" });

# Python: pip install snowplow-tracker
from snowplow_tracker import Emitter, Tracker
tracker = Tracker("sp", Emitter("%(host)s", protocol="%(scheme)s"), app_id="%(key)s")
"""
_CLOUDEVENTS: Final = """\
curl %(url)s/cloudevents -H "Authorization: Bearer %(key)s" \\
  -H "ce-specversion: 1.0" -H "ce-id: 1" -H "ce-source: /shop" -H "ce-type: Product Viewed" \\
  -d '{"userId": "u1", "product_id": "p1"}'
"""
_JSON: Final = """\
<!-- A page without an SDK. The id is kept, so that a visitor's events belong together. -->
<script>
  const visitor = (localStorage.visitor ??= crypto.randomUUID());
  const send = (call) => fetch("%(url)s/v1/events?writeKey=%(key)s", {
    method: "POST", keepalive: true,
    body: JSON.stringify({ messageId: crypto.randomUUID(), anonymousId: visitor, ...call }),
  });
  send({ type: "page", properties: { url: location.href, title: document.title, referrer: document.referrer } });
</script>

# A server
curl -u "%(key)s:" %(url)s/v1/events -d '{"type": "track", "event": "Order Completed", "userId": "u1"}'
"""
_TEXTS: Final[dict[Dialect, str]] = {
    "segment": _SEGMENT,
    "rudderstack": _RUDDERSTACK,
    "posthog": _POSTHOG,
    "snowplow": _SNOWPLOW,
    "cloudevents": _CLOUDEVENTS,
    "json": _JSON,
}


class Snippet(Struct, frozen=True):
    """The text of a dialect."""

    dialect: Dialect
    text: str


def snippets(dialects: tuple[Dialect, ...], url: str, key: str) -> list[Snippet]:
    """Returns the text of each dialect for a collector at ``url``, without a slash at the end."""
    parts = urlsplit(url)
    values = {"url": url.rstrip("/"), "host": parts.netloc, "scheme": parts.scheme, "key": key}
    return [Snippet(dialect, _TEXTS[dialect] % values) for dialect in dialects]
