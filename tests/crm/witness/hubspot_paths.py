"""hubspot-api-client sends the paths of versions 3 and 4; this module rewrites them to those that we use."""

import re

import urllib3

PATHS = {"/crm/v3/objects": "/crm/objects/2026-09", "/crm/v3/properties": "/crm/properties/2026-09",
         "/crm/v3/owners": "/crm/owners/2026-09", "/crm/v4/associations": "/crm/associations/2026-03"}  # fmt: skip
send = urllib3.PoolManager.request


def rewritten(self, method, url, *arguments, **options):
    url = re.sub("|".join(PATHS), lambda found: PATHS[found[0]], url)
    return send(self, method, url.replace("2026-09/?", "2026-09?"), *arguments, **options)


urllib3.PoolManager.request = rewritten
