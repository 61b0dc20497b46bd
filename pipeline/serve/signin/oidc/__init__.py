"""Sign-in by OpenID Connect: the authorization code flow with PKCE, at the provider that the settings name.

1. ``configuration``: the settings, checked at the start.
2. ``provider``: discovery, signing keys and the exchange of a code, over HTTP.
3. ``id_token``: verifies what the provider states about a person.
4. ``flow``: begins a sign-in, and ends it with a user.
"""
