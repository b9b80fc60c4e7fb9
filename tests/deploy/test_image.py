"""deploy/Containerfile: what may be known of it without building it."""

import re
from fnmatch import fnmatch

import pytest

from tests.deploy.kinds import DEPLOY, DIGEST, IMAGE, ROOT, refuse_unknown_words, run
from tests.support.parts import program

FILE = DEPLOY / "Containerfile"
TEXT = FILE.read_text()
STAGES = re.split(r"^FROM ", TEXT, flags=re.M)[1:]


@pytest.mark.part("hadolint")
def test_a_linter_of_such_files_finds_nothing() -> None:
    done = run(program("hadolint"), FILE)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_images_are_named_by_exact_version_and_a_digest_that_is_given() -> None:
    names = [stage.split()[0] for stage in STAGES]
    assert len(names) == 2
    for name in names:
        assert IMAGE.fullmatch(name.removesuffix("${PYTHON_DIGEST}")), name
        assert name.endswith("${PYTHON_DIGEST}")
    assert "--build-arg PYTHON_DIGEST" in TEXT, "the command that fills it"


def test_no_digest_is_made_up() -> None:
    for path in (FILE, DEPLOY / "compose.yaml", *(DEPLOY / "kubernetes").rglob("*.yaml")):
        assert not DIGEST.search(path.read_text()), path


def test_it_runs_as_another_user_under_an_init_with_a_health_check() -> None:
    last = STAGES[-1]
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert re.search(r'^ENTRYPOINT \["tini", "--", "byline"\]$', last, re.M)
    assert re.search(r"^HEALTHCHECK .*\\\n  CMD .*/healthz", last, re.M)
    (command,) = re.findall(r'^CMD \["(\w+)"\]$', last, re.M)
    refuse_unknown_words([command])
    assert "pip" not in last.replace("pip and", ""), "nothing is installed into it"


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [it.removeprefix("!") for it in ignored if it.startswith("!")]
    assert "*" in ignored
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", TEXT, re.M)
        for word in line.split()
    ]
    assert "streams" in copied
    for word in copied:
        assert (ROOT / word).exists(), word
        files = [word] if (ROOT / word).is_file() or word in kept else [f"{word}/weibo.yaml"]
        assert any(fnmatch(file, pattern) for file in files for pattern in kept), word
