"""Creates an organisation with an administrator and two representatives. Prints their ids and tokens as JSON."""

import json
from datetime import timedelta

import django

django.setup()

from common.models import Org, PersonalAccessToken, Profile, User  # noqa: E402  needs django.setup
from common.serializer import OrgAwareRefreshToken  # noqa: E402
from opportunity.models import DealPipeline  # noqa: E402

org = Org.objects.create(name="Shop", company_name="Shop", default_currency="EUR")
profiles = {}
for number, (name, role) in enumerate({"admin": "ADMIN", "ann": "ADMIN", "bob": "USER"}.items()):
    user = User.objects.create(email=f"{name}@crm.example", name=name, is_active=True)
    profiles[name] = Profile.objects.create(user=user, org=org, role=role, phone=f"+4930000000{number}")
DealPipeline.default_for(org)
tokens = {name: PersonalAccessToken.generate(profiles[name], "test")[0] for name in ("admin", "ann")}
session = OrgAwareRefreshToken.for_user_and_org(profiles["admin"].user, org, profiles["admin"]).access_token
session.set_exp(lifetime=timedelta(days=1))
ids = {name: str(one.id) for name, one in profiles.items()}
print(json.dumps({"profiles": ids, "tokens": tokens, "session": str(session)}))
