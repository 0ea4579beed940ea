"""The manifests are what Kubernetes reads, what the processes understand, and no wider than they must be."""

import copy
from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from secure_ml.access.actors import Actors
from secure_ml.cli.main import app
from secure_ml.orchestration.instance import _declared
from secure_ml.posture import DAGSTER_URL, require_kernel, require_shared_dagster
from secure_ml.settings import project_root, read_settings
from secure_ml_tests.deploy.manifests import Manifest, containers, faults, manifests, of_kind, pod, workloads
from secure_ml_tests.deploy.test_dockerfile import users

ENVIRONMENTS = ("development", "test", "training", "production")
VERSIONS = ("1.29", "1.31")
SERVER = "postgresql://u@postgresql.postgresql.svc/state?sslmode=verify-full&sslrootcert=/etc/secure-ml-ca/ca.pem"
DOCUMENTS = [pytest.param(document, id=f"{file}:{document['kind']}") for file, document in manifests()]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_manifest_is_of_its_schema(document: Manifest, version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_safeguard_would_be_told() -> None:
    broken = copy.deepcopy(workloads()["kernel"])
    broken["spec"]["template"]["spec"]["securityContext"]["runAsNonRot"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


@pytest.mark.parametrize("name", sorted(workloads()))
def test_every_workload_keeps_the_rules(name: str) -> None:
    assert faults(workloads()[name]) == []


BREAKS: dict[str, tuple[str, Callable[[Manifest], object]]] = {
    "root": ("root", lambda w: pod(w)["securityContext"].update(runAsNonRoot=False)),
    "user of a container": ("root", lambda w: containers(w)[-1]["securityContext"].update(runAsUser=0)),
    "seccomp": ("seccomp", lambda w: pod(w)["securityContext"].pop("seccompProfile")),
    "token": ("token", lambda w: pod(w).pop("automountServiceAccountToken")),
    "network of the node": ("host", lambda w: pod(w).update(hostNetwork=True)),
    "folder of the node": ("host", lambda w: pod(w)["volumes"].append({"name": "x", "hostPath": {"path": "/"}})),
    "writable": ("writable", lambda w: containers(w)[0]["securityContext"].pop("readOnlyRootFilesystem")),
    "escalation": ("escalation", lambda w: containers(w)[-1]["securityContext"].update(allowPrivilegeEscalation=True)),
    "capability": (
        "capabilities",
        lambda w: containers(w)[-1]["securityContext"]["capabilities"].update(add=["NET_RAW"]),
    ),
    "no limit": ("resources", lambda w: containers(w)[-1]["resources"].pop("limits")),
    "newest image": ("image", lambda w: containers(w)[-1].update(image="secure-ml:latest")),
    "host of an image": ("image", lambda w: containers(w)[-1].update(image="registry.invented.example/secure-ml:1")),
    "secret in clear": ("secret", lambda w: containers(w)[-1]["env"].append({"name": "X_TOKEN", "value": "x"})),
    "no probe": ("probe", lambda w: containers(w)[-1].pop("livenessProbe")),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_rule_is_told(what: str) -> None:
    expected, break_it = BREAKS[what]
    broken = copy.deepcopy(workloads()["kernel"])
    break_it(broken)
    assert expected in faults(broken)


def test_no_manifest_holds_a_secret() -> None:
    assert of_kind("Secret") == []
    text = "\n".join(yaml.safe_dump(document) for _, document in manifests())
    assert "hvs." not in text
    assert "postgresql://" not in text


def test_every_namespace_admits_restricted_pods_only() -> None:
    levels = {
        document["metadata"]["name"]: document["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for document in of_kind("Namespace")
    }
    assert levels == {f"secure-ml-{name}": "restricted" for name in ENVIRONMENTS}


def ways_out() -> dict[str, set[tuple[str, int]]]:
    """Where the pods of each workload may connect to: namespace or workload, and port."""
    found: dict[str, set[tuple[str, int]]] = {name: set() for name in workloads()}
    for policy in of_kind("NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            assert rule["to"], "a rule without a destination reaches everything"
            for place in rule["to"]:
                labels = {}
                for selector in ("namespaceSelector", "podSelector"):
                    labels |= place.get(selector, {}).get("matchLabels", {})
                where = labels.get("kubernetes.io/metadata.name") or labels["app.kubernetes.io/name"]
                name = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
                found[name] |= {(where, port["port"]) for port in rule["ports"]}
    return found


def test_nothing_is_reached_but_what_is_needed() -> None:
    deny = next(document for document in of_kind("NetworkPolicy") if document["metadata"]["name"] == "default-deny")
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    names = ("kube-system", 53)
    assert ways_out() == {
        "kernel": {names, ("postgresql", 5432), ("vault", 8200)},
        "code-server": {names, ("postgresql", 5432)},
        "pages": {names, ("postgresql", 5432), ("code-server", 4000)},
        "assessor": set(),
        "rotate": set(),
    }


def test_only_the_pages_reach_the_code_servers_port() -> None:
    (policy,) = [one for one in of_kind("NetworkPolicy") if one["spec"].get("ingress")]
    assert policy["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "code-server"}}
    (rule,) = policy["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "pages"}}}]
    assert [document["metadata"]["name"] for document in of_kind("Service", "Ingress")] == ["code-server"]


def told(environment: str) -> dict[str, str]:
    """What a process of an environment is told, but for secrets."""
    place = f"secure-ml-{environment}"
    found = [
        d["data"]
        for d in of_kind("ConfigMap")
        if d["metadata"].get("namespace") == place and d["metadata"]["name"] == "secure-ml"
    ]
    (data,) = found
    return dict(data)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_kernel_starts_on_what_it_is_told(environment: str) -> None:
    settings = read_settings(told(environment) | {"SECURE_ML_STATE_URL": SERVER, "SECURE_ML_KEY_STORE_URL": SERVER})
    require_kernel(settings)
    require_shared_dagster(settings, in_files=False)
    assert settings.promotion_required
    assert settings.serves(environment)
    assert not any(settings.serves(other) for other in ENVIRONMENTS if other != environment)


def test_no_two_environments_have_the_same_root_key() -> None:
    assert len({told(environment)["SECURE_ML_KEY_SERVICE"] for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)


def test_who_runs_is_who_the_kernel_takes_them_for(tmp_path: Path) -> None:
    logins = {name: users()[pod(workload)["securityContext"]["runAsUser"]] for name, workload in workloads().items()}
    assert len(set(logins.values())) == len(logins)
    assert logins["assessor"] == told("training")["SECURE_ML_ASSESSOR_USER"]
    assert told("training")["SECURE_ML_RUN_USERS"] == f"training={logins['code-server']}"
    (document,) = [d for d in of_kind("ConfigMap") if d["metadata"]["name"] == "actors"]
    file = tmp_path / "actors.yaml"
    file.write_text(document["data"]["actors.yaml"], encoding="utf-8")
    actors = Actors.load(file)
    names = {name: actor.name for name, login in logins.items() if (actor := actors.of_login(login)) is not None}
    assert names == {"assessor": "service:assessor", "pages": "service:dagster", "rotate": "person:key-keeper"}


def mounts(name: str) -> dict[str, bool]:
    """Volumes of a workload, each with whether it can be written to."""
    workload = workloads()[name]
    sources = {volume["name"]: volume for volume in pod(workload)["volumes"]}
    return {
        mount["name"]: not mount.get("readOnly", False)
        for container in containers(workload)
        for mount in container["volumeMounts"]
        if "persistentVolumeClaim" in sources[mount["name"]]
    }


def test_each_writes_only_what_is_its_own() -> None:
    assert {name: mounts(name) for name in workloads()} == {
        "kernel": {"kernel-socket": True},
        "assessor": {"assessor-socket": True, "kernel-socket": False, "vault": False},
        "code-server": {"vault": True, "dagster-logs": True, "kernel-socket": False, "assessor-socket": False},
        "pages": {"dagster-logs": False, "kernel-socket": False},
        "rotate": {"kernel-socket": False},
    }
    for workload in workloads().values():
        for volume in pod(workload)["volumes"]:
            claim = volume.get("persistentVolumeClaim")
            name = workload["metadata"]["labels"]["app.kubernetes.io/name"]
            assert claim is None or claim.get("readOnly", False) is not mounts(name)[volume["name"]]


def test_the_secrets_of_the_kernel_are_the_kernels_alone() -> None:
    wanted = {
        name: {
            variable["valueFrom"]["secretKeyRef"]["name"]
            for container in containers(workload)
            for variable in container.get("env", [])
            if "secretKeyRef" in variable.get("valueFrom", {})
        }
        for name, workload in workloads().items()
    }
    assert wanted == {
        "kernel": {"kernel"}, "code-server": {"runs", "source"}, "pages": {"pages"}, "assessor": set(), "rotate": set(),
    }  # fmt: skip


def test_dagsters_file_is_the_checkouts_with_its_records_in_postgresql() -> None:
    (document,) = [d for d in of_kind("ConfigMap") if d["metadata"]["name"] == "dagster"]
    declared = _declared(project_root() / "dagster.yaml", {DAGSTER_URL: "set"})
    assert yaml.safe_load(document["data"]["dagster.yaml"]) == yaml.safe_load(declared)


def test_the_commands_are_there() -> None:
    known = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    for workload in workloads().values():
        for container in containers(workload):
            if container["command"][0] == "secure-ml":
                assert container["command"][1] in known


def test_whoever_speaks_to_the_kernel_is_on_its_node() -> None:
    for name, workload in workloads().items():
        if name == "kernel":
            continue
        (term,) = pod(workload)["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kernel"}
        assert term["topologyKey"] == "kubernetes.io/hostname"
