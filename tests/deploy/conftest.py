"""What the tests of deploy/ share: where things lie, and a real Prometheus that scrapes what a test shows it."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from daemon.metrics import CONTENT_TYPE, Children, Metrics

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def deploy() -> Path:
    return ROOT / "deploy"


class RealPrometheus:
    """Debian's Prometheus on loopback with our rules, one scrape a second. ``query`` answers as Grafana's would be."""

    def __init__(self, folder: Path, target: str, rules: Path) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        for file in rules.glob("*.yml"):
            (folder / file.name).write_text(yaml.safe_dump(_hurried(yaml.safe_load(file.read_text()))))
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["kommsync.*.yml"],
            "scrape_configs": [{"job_name": "kommsync", "static_configs": [{"targets": [target]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._log = (folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that ``expr`` gives now. Fails if Prometheus does not understand it."""
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except urllib.error.HTTPError as error:
            if error.code == 503:  # still starting
                return []
            pytest.fail(f"{expr}\n{error.read().decode()}")

    def wait_for(self, expr: str, seconds: float = 20) -> None:
        """Returns as soon as ``expr`` gives a series."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self.query(expr):
                    return
            except OSError:
                pass  # not listening yet
            time.sleep(0.05)
        pytest.fail(f"Prometheus had no answer to {expr} within {seconds} s")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        self._log.close()


def _hurried(rules: dict[str, Any]) -> dict[str, Any]:
    """The same rules, evaluated every second: nobody wants to wait a minute for the first result."""
    return {"groups": [{**group, "interval": "1s"} for group in rules["groups"]]}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def start_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RealPrometheus]]:
    """``start_prometheus("127.0.0.1:9469")`` scrapes that; all are stopped at the end."""
    running: list[RealPrometheus] = []

    def start(target: str) -> RealPrometheus:
        prometheus = RealPrometheus(
            tmp_path_factory.mktemp("prometheus"), target, ROOT / "deploy" / "prometheus" / "rules"
        )
        running.append(prometheus)
        return prometheus

    yield start
    for prometheus in running:
        prometheus.stop()


@pytest.fixture(scope="session")
def lively_metrics() -> Iterator[str]:
    """The address of an exposition by the real ``Metrics``: everything happens, a little more at each scrape."""
    metrics = Metrics("1.2.3")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _live(metrics)
            body = metrics.render()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def _live(metrics: Metrics) -> None:
    for name, collector in vars(metrics).items():
        for child in collector.values() if isinstance(collector, Children) else [collector]:
            if isinstance(child, Counter):
                child.inc()
            elif isinstance(child, Histogram):
                child.observe(0.2)
            elif isinstance(child, Gauge):
                child.set(time.time() - 30 if _is_moment(name) else 1)


def _is_moment(name: str) -> bool:
    return name.endswith(("_success", "_progress", "oldest_unsynced"))
