"""Compose file and Kubernetes manifests: valid by their schemas and as careful as the unit. No engine runs here."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon import settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CONTAINER = DEPLOY / "container"
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.stem != "kustomization")
Node = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Node:
    node: Node = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    return node


def test_compose_file_follows_the_specification(compose: Node) -> None:
    specification = pytest.importorskip("compose_spec")
    specification.PyCompose.from_yaml(yaml.safe_dump(compose))  # merge keys and anchors resolved


def test_our_containers_may_do_next_to_nothing(compose: Node) -> None:
    ours = [service for service in compose["services"].values() if service["image"].startswith("kommsync:")]
    assert len(ours) == 3
    for service in ours:
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_nothing_of_the_try_can_be_reached_from_outside(compose: Node) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_files_that_are_mounted_exist(compose: Node) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert files
    assert [file for file in files if not (CONTAINER / file).exists()] == []
    named = {mount.split(":")[0] for mount in mounts if not mount.startswith(".")}
    assert named == set(compose["volumes"])


def test_the_daemon_is_given_settings_that_exist(compose: Node) -> None:
    for name in compose["services"]["kommsync"]["environment"]:
        section, key = re.fullmatch(r"KOMMSYNC_([A-Z]+)__([A-Z_]+)", name).groups()  # type: ignore[union-attr]
        fields = settings.SECTIONS[section.lower()].model_fields
        assert key.lower().removesuffix("_file") in fields or key.lower() in fields, name


def test_the_image_runs_without_root() -> None:
    text = (CONTAINER / "Containerfile").read_text()
    assert re.search(r"^USER 10469:10469$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert text.index("\nUSER ") < text.index("\nENTRYPOINT ")


def test_what_the_image_copies_is_not_ignored() -> None:
    text = (CONTAINER / "Containerfile").read_text()
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    kept = [
        line[1:]
        for line in (CONTAINER / "Containerfile.dockerignore").read_text().splitlines()
        if line[0] == "!"
    ]
    for source in copied:
        assert any(source.startswith(path) for path in kept), source
        assert list((DEPLOY.parent).glob(source)), source


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_follow_the_schema_of_kubernetes(manifest: Path) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for node in yaml.safe_load_all(manifest.read_text()):
        validate.validate(node, "1.32", strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed, and not in Debian")
def test_kustomize_puts_the_manifests_together() -> None:
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    kinds = [node["kind"] for node in yaml.safe_load_all(done.stdout)]
    assert sorted(kinds) == ["ConfigMap", "Namespace", "NetworkPolicy", "Service", "StatefulSet"]


def test_one_careful_pod() -> None:
    node = yaml.safe_load((DEPLOY / "kubernetes" / "statefulset.yaml").read_text())["spec"]
    pod = node["template"]["spec"]
    (container,) = pod["containers"]
    assert node["replicas"] == 1
    assert node["volumeClaimTemplates"][0]["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
