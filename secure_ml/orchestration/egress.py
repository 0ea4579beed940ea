"""The tripwire around a run: what its project has a declared use for, and telling the kernel of anything else.

Belongs here: which destinations those are, and when the tripwire is on. Must stay out: the tripwire itself (guard).
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs, urlsplit

import dagster as dg

from secure_ml.guard.egress import Attempt, Destination, EgressRefused, tripwire
from secure_ml.orchestration.resources import Doors, assets_of
from secure_ml.policy.projects import Project
from secure_ml.settings import Settings

_AWS_CONTAINER = Destination("169.254.170.2", 80)
"""Where a container of AWS's gets its credentials."""


def guarded_doors(doors: Doors) -> dg.ResourceDefinition:
    """The doors as a resource that is made when a run begins in a process: until the run ends the tripwire is on.

    A sensor, which is no run, gets them without.
    """

    def open_guarded(context: dg.InitResourceContext) -> Iterator[Doors]:
        run, instance = context.run, context.instance
        if run is None or instance is None:
            yield doors
            return
        projects = doors.installation.projects
        keys = [key for key in assets_of(run, instance) if key.path[1:2] and key.path[1] in projects]
        key = min(keys, default=None)
        project = None if key is None else projects[key.path[1]].seen_in(key.path[0])
        allowed = declared_destinations(doors.installation.settings, project, doors.environ)
        with tripwire(allowed=allowed, report=lambda attempt: _report(doors, key, run, attempt)):
            yield doors

    return dg.ResourceDefinition(
        open_guarded,
        description="The doors of a run. While it lasts, code of its process reaches no machine but the declared ones.",
    )


def declared_destinations(
    settings: Settings, project: Project | None, environ: Mapping[str, str]
) -> frozenset[Destination]:
    """Where a run of a project may connect to: its source's database; in the profile `personal`, the key service too.

    In any other profile the kernel alone speaks to the key service and to the state; a run speaks to the kernel.

    Args:
        settings: the installation's places.
        project: the run's project, as it is seen in the run's environment.
        environ: holds the URL of a SQL source, and the addresses of key services.
    """
    urls = []
    if project is not None and project.policy.source.url_env is not None:
        urls.append(environ.get(project.policy.source.url_env, ""))
    found: set[Destination] = set()
    if settings.kernel_socket is None:
        urls.append(settings.state_url)
        for uri in {settings.key_service, *settings.key_services.values()}:
            found |= _key_service(uri, environ)
    return frozenset(found | {place for place in map(Destination.of_url, urls) if place is not None})


def _key_service(uri: str, environ: Mapping[str, str]) -> set[Destination]:
    scheme, _, rest = uri.partition(":")
    asked = {name: values[-1] for name, values in parse_qs(urlsplit(rest).query).items()}
    if scheme == "vault":
        return _endpoints(asked.get("address") or environ.get("VAULT_ADDR"))
    if scheme != "awskms":
        return set()
    arn = re.match(r"arn:[a-z-]+:kms:([a-z0-9-]+):", rest)
    region = (
        arn[1] if arn else asked.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "")
    )
    usual = f"https://kms.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    said = asked.get("endpoint") or environ.get("AWS_ENDPOINT_URL_KMS")
    return _endpoints(said or usual, environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")) | {_AWS_CONTAINER}


def _endpoints(*urls: str | None) -> set[Destination]:
    found = set()
    for url in urls:
        place = Destination.of_url(url or "")
        if place is not None:
            usual = 80 if urlsplit(url or "").scheme == "http" else 443
            found.add(Destination(place.host, place.port or usual))
    return found


def _report(doors: Doors, key: dg.AssetKey | None, run: dg.DagsterRun, attempt: Attempt) -> None:
    from secure_ml.vault.egress_reporting import ReportEgress
    from secure_ml.vault.messages import Recorded

    if key is None:
        raise EgressRefused("code of a run of no project tried to reach another machine; find out what asked for it")
    doors.door(key, run).send(ReportEgress, Recorded, kind=attempt.kind, host=attempt.host, port=attempt.port)
