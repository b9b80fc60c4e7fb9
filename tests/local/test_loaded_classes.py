"""A broker of the tests takes Java's cache of loaded classes where it lies, and does without."""

from pathlib import Path

import pytest

from streams.local import loaded_classes, node

JARS = (Path("kafka.jar"), Path("logger.jar"))


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a Java runtime without a cache."""
    monkeypatch.setattr(loaded_classes, "java", lambda: tmp_path / "bin" / "java")
    return tmp_path


def test_given_no_cache_then_java_is_told_of_none(runtime: Path) -> None:
    assert loaded_classes.cache_options(JARS) == []


def test_given_a_cache_then_it_is_named_and_its_faults_are_not_logged(runtime: Path) -> None:
    file = loaded_classes.cache_file(JARS)
    assert file.parent == runtime
    file.touch()
    first, *quiet = loaded_classes.cache_options(JARS)
    assert first == f"-XX:AOTCache={file}"
    assert quiet == ["-Xlog:aot=off", "-Xlog:cds=off"]


def test_a_cache_is_for_one_class_path_alone(runtime: Path) -> None:
    loaded_classes.cache_file(JARS).touch()
    assert loaded_classes.cache_options(JARS[:1]) == []


def test_only_a_broker_with_a_brief_life_takes_it(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache was written under the garbage collector of `BRIEF`."""
    monkeypatch.setattr(node, "class_path", lambda: JARS)
    assert node.brief() == [*node.BRIEF]
    file = loaded_classes.cache_file(JARS)
    file.touch()
    assert f"-XX:AOTCache={file}" in node.brief()
    assert not any("AOT" in option for option in node._java([]))
