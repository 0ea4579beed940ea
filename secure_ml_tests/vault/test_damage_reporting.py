"""A damaged part is in the log, whoever reads it: the kernel itself sees no file."""

import pytest

from secure_ml.access.stages import Stage
from secure_ml.guard.security_events import Memory, examine
from secure_ml.guard.security_limits import Limits
from secure_ml.vault.damage_reporting import ReportDamage
from secure_ml.vault.errors import AccessRefused, NothingThere, Tampered
from secure_ml.vault.messages import Recorded
from secure_ml_tests.fakes.json_kernel import JsonKernel
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject


def damage(project: SmallProject) -> str:
    (part, *_) = sorted(project.home.glob("vault/*/*/raw/*/*/*"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    return part.parent.name


@pytest.mark.parametrize("how", ["check", "stage"])
def test_a_damaged_part_is_refused_and_the_log_has_it(checked_project: SmallProject, how: str) -> None:
    project = checked_project.through(JsonKernel)
    version_id = damage(project)
    door = project.door("run-7")
    dataset = door.assess(Stage.RAW, "")[1] if how == "check" else door.open(Stage.RAW, "", by=Stage.MASKED)

    with pytest.raises(Tampered):
        dataset.read()

    (entry,) = project.log("version.damaged")
    assert (entry.outcome, entry.run_id, entry.resource) == ("failed", "run-7", f"{ENVIRONMENT}/{PROJECT}/raw")
    assert entry.details == {"version_id": version_id, "error": "Tampered"}
    (finding,) = [f for f in examine(project.installation.log.entries(), Memory(), Limits()) if f.severity == "error"]
    assert (finding.kind, finding.entries) == ("failed_verification", (entry.entry_index,))


def test_what_is_whole_is_not_reported(checked_project: SmallProject) -> None:
    checked_project.door().open(Stage.RAW, "", by=Stage.MASKED).read()
    assert checked_project.log("version.damaged") == []


def test_a_run_reports_on_versions_of_its_own_project_and_environment_only(checked_project: SmallProject) -> None:
    (manifest,) = checked_project.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
    door = checked_project.door(environment="production")
    for version_id, refusal in ((manifest.version_id, AccessRefused), ("0" * 32, NothingThere)):
        with pytest.raises(refusal):
            door.send(ReportDamage, Recorded, version_id=version_id)
    assert checked_project.log("version.damaged") == []
