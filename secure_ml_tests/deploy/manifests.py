"""The manifests of `deploy/kubernetes` as data, and the rules that hold for each of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from secure_ml.settings import project_root

Manifest = dict[str, Any]
ROOT = project_root() / "deploy" / "kubernetes"
_WORKLOADS = {"Deployment", "StatefulSet", "Job"}
_HOST = re.compile(r"^[^/]*[.:][^/]*/")


def manifests() -> Iterator[tuple[str, Manifest]]:
    """Every document, with the name of its file."""
    for file in sorted(ROOT.rglob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            yield str(file.relative_to(ROOT)), document


def of_kind(*kinds: str) -> list[Manifest]:
    return [document for _, document in manifests() if document["kind"] in kinds]


def workloads() -> dict[str, Manifest]:
    """By the name that network policies know their pods by."""
    return {document["metadata"]["labels"]["app.kubernetes.io/name"]: document for document in of_kind(*_WORKLOADS)}


def pod(workload: Manifest) -> Manifest:
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def containers(workload: Manifest) -> list[Manifest]:
    return [*pod(workload).get("initContainers", []), *pod(workload)["containers"]]


def faults(workload: Manifest) -> list[str]:
    """What of a workload breaks a rule; each in one word."""
    spec = pod(workload)
    return [*_pod_faults(spec), *(fault for one in containers(workload) for fault in _container_faults(one, workload))]


def _pod_faults(spec: Manifest) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "seccomp"
    if spec.get("automountServiceAccountToken") is not False:
        yield "token"
    if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")) or spec.get("hostUsers") is False:
        yield "host"
    if any("hostPath" in volume for volume in spec.get("volumes", [])):
        yield "host"


def _container_faults(container: Manifest, workload: Manifest) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("readOnlyRootFilesystem") is not True:
        yield "writable"
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "escalation"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context.get("capabilities", {}).get("add"):
        yield "capabilities"
    if "runAsUser" in context or context.get("runAsNonRoot") is False:
        yield "root"
    resources = container.get("resources", {})
    if not all(resources.get(kind, {}).get(name) for kind in ("requests", "limits") for name in ("cpu", "memory")):
        yield "resources"
    image = container.get("image", "")
    if _HOST.match(image) or ":" not in image or image.endswith(":latest"):
        yield "image"
    for variable in container.get("env", []):
        if re.search(r"URL|TOKEN|SECRET|PASSWORD", variable["name"]) and "secretKeyRef" not in variable.get(
            "valueFrom", {}
        ):
            yield "secret"
    serves = workload["kind"] != "Job" and container in pod(workload)["containers"]
    if serves and "livenessProbe" not in container:
        yield "probe"


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def dockerfile() -> Path:
    return ROOT.parent / "Dockerfile"
