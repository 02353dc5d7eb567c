"""Apache Kafka's jars, resolved by Maven into a folder of the checkout, and the Java that runs them.

`python -m apps.dev.embedded.kafka_jars` prints what is lacking, and nothing where nothing is.

Invariant: a folder of jars that exists is complete and belongs to the pom beside this module; once it is there,
neither Maven nor a network is asked.
"""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from apps.dev.children import PROJECT, ChildFailed

POM = Path(__file__).with_name("kafka-pom.xml")
OLDEST_JAVA = 17
_FETCH_SECONDS = 600


def version() -> str:
    """Apache Kafka's, as the pom pins it."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", POM.read_text())
    assert found is not None, f"{POM} names no kafka.version."
    return found.group(1)


def folder() -> Path:
    return PROJECT / ".dev" / f"kafka-{version()}"


def classpath() -> str:
    return str(folder() / "*")


def java() -> str | None:
    """The `java` of JAVA_HOME, else the one on the PATH."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")


def lacking() -> str | None:
    """What this machine lacks to run Apache Kafka, in one line that says what to do; `None` when it can."""
    found = java()
    there = _java_version(found) if found else 0
    if there < OLDEST_JAVA:
        what = f"{found} is Java {there}" if there else "no working `java` in JAVA_HOME or on the PATH"
        return (
            f"Apache Kafka {version()} needs Java {OLDEST_JAVA} or later: {what}. Install a JRE, e.g. openjdk-17-jre."
        )
    if not complete() and shutil.which("mvn") is None:
        return f"Apache Kafka {version()} has to be fetched by Maven: no `mvn` on the PATH. Install maven."
    return None


def available() -> bool:
    return lacking() is None


def fetch() -> Path:
    """The folder with the jars, filled first where it is not there. Raises `ChildFailed`."""
    if complete():
        return folder()
    unfinished = folder().with_name(f"{folder().name}.{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    command = [
        *("mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM)),
        *("dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
        if done.returncode != 0:
            raise ChildFailed(f"Maven could not get Apache Kafka {version()}:\n{_words(done.stdout + done.stderr)}")
        shutil.copy(POM, unfinished / POM.name)
        if not complete():
            shutil.rmtree(folder(), ignore_errors=True)
            unfinished.rename(folder())
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"Maven did not get Apache Kafka {version()} within {_FETCH_SECONDS} s.") from None
    except OSError as reason:
        if not complete():  # else another process was quicker
            raise ChildFailed(f"Apache Kafka {version()} could not be put into {folder()}: {reason}") from reason
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder()


def complete() -> bool:
    """Whether all jars are there."""
    try:
        return (folder() / POM.name).read_text() == POM.read_text()
    except OSError:
        return False


@cache
def _java_version(command: str) -> int:
    """17 for 17.0.15, 8 for 1.8; 0 when it does not say."""
    try:
        said = subprocess.run([command, "-version"], capture_output=True, text=True, check=False, timeout=30).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found.group(1)) if found else 0


def _words(output: str) -> str:
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in output.splitlines()]
    return "\n".join(f"    {line}" for line in lines if line.startswith("[ERROR]") and line != "[ERROR]")


if __name__ == "__main__":
    print(lacking() or "", end="")
