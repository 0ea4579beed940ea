"""The units of kernel and assessor: systemd understands them, they take away what it knows to take, the page agrees."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml_tests.docs.pages import ROOT
from secure_ml_tests.fakes.needed import need

PAGE = (ROOT / "docs" / "separated.md").read_text(encoding="utf-8")
UNITS = {name: ROOT / "deploy" / "systemd" / f"secure-ml-{name}.service" for name in ("kernel", "assessor")}
# What a unit is ordered against by default, or names, without this machine's own.
TARGETS = ("sysinit", "basic", "shutdown", "network-online", "multi-user")
HIGHEST_EXPOSURE = 20
"""Tenths, of the 100 that `systemd-analyze security` gives a unit that takes nothing away."""

TAKEN_FROM_BOTH = {
    **dict.fromkeys(("CapabilityBoundingSet", "AmbientCapabilities"), ""),
    **dict.fromkeys(
        (
            "NoNewPrivileges",
            "ProtectHome",
            "PrivateDevices",
            "PrivateTmp",
            "MemoryDenyWriteExecute",
            "RestrictNamespaces",
        ),
        "yes",
    ),
    "ProtectSystem": "strict",
    "SystemCallFilter": "@system-service",
    "SystemCallArchitectures": "native",
}


def settings(name: str) -> dict[str, list[str]]:
    """The values of each setting of a unit's service."""
    found: dict[str, list[str]] = {}
    service = UNITS[name].read_text(encoding="utf-8").partition("[Service]\n")[2].partition("\n[Install]")[0]
    for line in service.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def analyze(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`systemd-analyze`, on a machine that has these units, the command, and no others."""
    need(shutil.which("systemd-analyze"), "units are held against systemd's own tool: apt-get install systemd")
    folder, program = tmp_path / "etc" / "systemd" / "system", tmp_path / "usr" / "local" / "bin" / "secure-ml"
    for made in (folder, program.parent):
        made.mkdir(parents=True)
    for target in TARGETS:
        (folder / f"{target}.target").write_text("[Unit]\n", encoding="utf-8")
    program.touch(mode=0o755)

    def run(verb: str, *options: str, change: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
        for unit in UNITS.values():
            (folder / unit.name).write_text(unit.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
        names = [unit.name for unit in UNITS.values()]
        command = ["systemd-analyze", verb, *options, f"--root={tmp_path}", *names]
        return subprocess.run(command, capture_output=True, text=True)

    return run


def test_systemd_understands_every_line(analyze: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    verified = analyze("verify", "--man=no")
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_a_line_that_it_would_ignore_is_noticed(analyze: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert "Unknown key" in analyze("verify", "--man=no", change=("ProtectHome=", "ProtectHoem=")).stderr


@pytest.mark.parametrize("change", [None, ("NoNewPrivileges=yes\nCapabilityBoundingSet=\n", "")])
def test_what_is_left_to_attack_is_little(
    analyze: Callable[..., subprocess.CompletedProcess[str]], change: tuple[str, str] | None
) -> None:
    judged = analyze("security", "--offline=true", f"--threshold={HIGHEST_EXPOSURE}", change=change or ("", ""))
    assert (judged.returncode == 0) == (change is None), judged.stdout[-200:]


@pytest.mark.parametrize("name", UNITS)
def test_what_is_taken_away_from_both(name: str) -> None:
    found = settings(name)
    assert {key: found[key] for key in TAKEN_FROM_BOTH} == {key: [value] for key, value in TAKEN_FROM_BOTH.items()}
    # With it every peer of the socket would be nobody.
    assert "PrivateUsers" not in found


def test_the_assessor_has_no_network_and_no_keys() -> None:
    found = settings("assessor")
    assert found["PrivateNetwork"] == ["yes"]
    assert found["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert found["InaccessiblePaths"] == ["-/var/lib/secure-ml-kernel"]
    assert found["EnvironmentFile"] == ["/etc/secure-ml/environment"]
    assert "ReadWritePaths" not in found
    assert "StateDirectory" not in found


def test_the_kernel_writes_its_own_folders_alone() -> None:
    found = settings("kernel")
    assert (found["StateDirectory"], found["StateDirectoryMode"]) == (["secure-ml-kernel"], ["0700"])
    assert "ReadWritePaths" not in found
    assert "AF_UNIX" in found["RestrictAddressFamilies"][0]


@pytest.mark.parametrize("name", UNITS)
def test_users_folders_and_command_are_those_of_the_page(name: str) -> None:
    found = settings(name)
    (user,) = re.findall(rf"setpriv --reuid (\S+) .* secure-ml {name} &", PAGE)
    assert (found["User"], found["Group"]) == ([user], [user])
    assert found["ExecStart"] == [f"/usr/local/bin/secure-ml {name}"]
    assert f" /usr/local/bin/{found['ExecStart'][0].split()[0].rpartition('/')[2]}\n" in PAGE
    (socket,) = re.findall(rf"^SECURE_ML_{name.upper()}_SOCKET=(\S+)$", PAGE, re.MULTILINE)
    assert str(Path(socket).parent) == f"/run/{found['RuntimeDirectory'][0]}"
    # Whoever connects believes a socket only in a folder that is its owner's, and that all may enter.
    assert found["RuntimeDirectoryMode"] == ["0755"]
    if name == "kernel":
        assert f"SECURE_ML_KEYS=/var/lib/{found['StateDirectory'][0]}/" in PAGE
