"""Asks a runner that .ci/clients has filled through api, which openapi-python-client
makes. It ends with an error at the first answer that is not due.
usage: main.py URL TOKEN
"""

import datetime
import sys

from api import AuthenticatedClient, Client
from api.api.read import get_newest, list_members, list_references, list_repositories
from api.api.write import delete_reference, put_reference
from api.models import Badge, Error, MemberPage, ReferenceDetails, ReferencePage, RepositoryPage, Sort
from api.types import UNSET

APP = "ghcr.io/team/app:1.2.3"
NAMES = ["alpha", "beta", "gamma", "team/app"]


def want(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what} = {got!r}, want {wanted!r}")


def parsed(kind, answer):
    want("type of the answer", type(answer), kind)
    return answer


url, token = sys.argv[1:]
client = Client(base_url=url, raise_on_unexpected_status=True)

catalogue = parsed(RepositoryPage, list_repositories.sync(client=client))
want("names of the catalogue", [r.name for r in catalogue.repositories], NAMES)

read, page = [], UNSET
while True:
    catalogue = parsed(RepositoryPage, list_repositories.sync(client=client, limit=3, next_=page))
    read += [r.name for r in catalogue.repositories]
    page = catalogue.next_
    if page is UNSET:
        break
want("names of all pages", read, NAMES)

newest = parsed(ReferencePage, list_references.sync("team/app", client=client)).references[0]
want("reference", newest.reference, APP)
want("size", newest.size, 1337)
# Python's times have microseconds.
want("pushedAt", newest.pushed_at, datetime.datetime(2023, 7, 3, 14, 56, 52, 60421, datetime.timezone.utc))

unknown = list_references.sync_detailed("team/nothing", client=client)
want("status of a name that is unknown", unknown.status_code, 404)
want("error of 404", parsed(Error, unknown.parsed).error, "Provider not yet published")

badge = get_newest.sync("team/app", client=client, sort=Sort.SEMVER, ignore=["latest", "*-rc.*"])
want("badge", parsed(Badge, badge).message, APP)

soon, app = parsed(MemberPage, list_members.sync("official", client=client)).repositories
want("reference of a member that is not published", soon.reference, UNSET)
want("reference of a member", app.reference, APP)

reference = "localhost:5000/team/tool:1"
body = ReferenceDetails(pushed_at=datetime.datetime.now(datetime.timezone.utc))
refused = put_reference.sync_detailed(reference, client=client, body=body)
want("PUT without the token", refused.status_code, 401)
writer = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
want("PUT", put_reference.sync(reference, client=writer, body=body), f"Url {reference} stored for team/tool")
want("DELETE", delete_reference.sync(reference, client=writer), "Deleted 1 reference of team/tool")
