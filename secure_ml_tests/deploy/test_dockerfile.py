"""The image's recipe: locked by hashes, from no named registry, and of users that are not root."""

import re

from secure_ml_tests.deploy.manifests import dockerfile


def instructions() -> list[tuple[str, str]]:
    """Instruction and argument of each line, continued lines joined."""
    text = re.sub(r"^#.*\n", "", dockerfile().read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def users() -> dict[int, str]:
    """Logins by their number."""
    (made,) = [argument for instruction, argument in instructions() if "useradd" in argument]
    return {int(uid): f"secure-ml-{name}" for name, uid in re.findall(r"\b([a-z]+):(\d{5})\b", made)}


def of(instruction: str) -> list[str]:
    return [argument for name, argument in instructions() if name == instruction]


def test_it_starts_from_no_named_registry() -> None:
    assert of("FROM") == ["${BASE} AS build", "${BASE}"]
    (base,) = of("ARG")
    assert "/" not in base


def test_every_dependency_is_held_by_its_hash() -> None:
    installs = [argument for argument in of("RUN") if "pip" in argument and "install" in argument]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert all("--no-deps" in install for install in installs)


def test_nothing_is_fetched_by_hand() -> None:
    assert of("ADD") == []
    assert not any(re.search(r"\b(curl|wget|apt-get|git)\b", argument) for argument in of("RUN"))


def test_it_runs_as_nobody_of_power() -> None:
    assert instructions()[-1][0] == "USER"
    uid = int(of("USER")[-1].partition(":")[0])
    assert uid in users()
    assert len(users()) == 5
    assert 0 not in users()


def test_no_key_and_no_data_is_copied_into_it() -> None:
    copied = {name for argument in of("COPY") for name in argument.split()[:-1] if not name.startswith("--from")}
    assert copied == {
        "requirements.lock", "pyproject.toml", "README.md", "LICENSE", "secure_ml", "/opt/venv", "dagster.yaml",
        "workspace.yaml",
    }  # fmt: skip
    ignored = dockerfile().with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "**"
