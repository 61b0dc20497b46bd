"""Rewrites the lock files after a version here has changed: ``python -m pipeline.local.relock``."""

from pathlib import Path

from jgo.maven import Artifact, MavenContext

from pipeline.local.download import maven_context
from pipeline.local.fetch import cache_dir, repository
from pipeline.local.lockfile import HERE, LockedFile, measure, write_lock

KAFKA = "org.apache.kafka:kafka_2.13:jar:4.3.1:compile"
KAFKA_TOOLS = "org.apache.kafka:kafka-tools"
KAFKA_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
"""Kafka's dependencies contain the SLF4J interface but no implementation; without this the server logs nothing."""
REGISTRY = "io.apicurio:apicurio-registry-app:tar.gz:all:3.3.3"


def lock_kafka(path: Path, context: MavenContext) -> None:
    """Resolves Kafka's class path, fetches it and writes its lock."""
    # The logging binding is added as one file: resolved together with Kafka, its dependency management would change the
    # versions of Kafka's dependencies.
    inputs, transitive = context.resolver.resolve([context.create_dependency(KAFKA)])
    needed = [*inputs, *(dep for dep in transitive if dep.scope in {"compile", "runtime"})]
    group, artifact, version = KAFKA_LOGGING.split(":")
    binding = context.project(group, artifact).at_version(version).artifact()
    write_lock(path, "Apache Kafka", [_locked(artifact_) for artifact_ in [*(dep.artifact for dep in needed), binding]])


def lock_tools(path: Path, context: MavenContext) -> None:
    """Fetches Kafka's tools in the version of KAFKA and locks them. Their dependencies are on Kafka's class path."""
    group, artifact = KAFKA_TOOLS.split(":")
    tools = context.project(group, artifact).at_version(KAFKA.split(":")[3]).artifact()
    write_lock(path, "Apache Kafka's command line tools, besides its own class path", [_locked(tools)])


def lock_registry(path: Path, context: MavenContext) -> None:
    """Fetches the schema registry's archive and locks it."""
    group, artifact, packaging, classifier, version = REGISTRY.split(":")
    resolved = context.project(group, artifact).at_version(version).artifact(classifier, packaging)
    write_lock(path, "Apicurio Registry", [_locked(resolved)])


def _locked(artifact: Artifact) -> LockedFile:
    names = [artifact.groupId, artifact.artifactId, artifact.packaging, artifact.classifier, artifact.version]
    return measure(":".join(name for name in names if name), artifact.resolve())


if __name__ == "__main__":
    maven = maven_context(repository(cache_dir()))
    lock_kafka(HERE / "kafka.lock", maven)
    lock_tools(HERE / "kafka-tools.lock", maven)
    lock_registry(HERE / "registry.lock", maven)
