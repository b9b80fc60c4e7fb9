"""Policies from YAML files: read whole, refused whole, every fault with file, line and cure.

    policies = load_policies(Path("deploy/policies"), require_approvals=False)
    policy = load_policy(Path("deploy/policies/weibo.yaml"))

Both raise `PolicyFaults`, whose `faults` are all that is wrong, in order of file and line.
"""

from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node

from streams.core.policy import Policy
from streams.policies.faults import Fault, Findings, PolicyFaults
from streams.policies.reading import Draft, read_policy

__all__ = ["Fault", "PolicyFaults", "load_paths", "load_policies", "load_policy"]

MAX_FILE_BYTES = 1024 * 1024


def load_policy(path: Path, *, require_approvals: bool = False) -> Policy:
    """The policy in one file, whatever the file is called.

    Raises:
        PolicyFaults: all that is wrong with it.
    """
    draft, findings = _read_file(path, require_approvals=require_approvals)
    if draft is None or findings.faults:
        raise PolicyFaults(findings.faults)
    return draft.make()


def load_policies(directory: Path, *, require_approvals: bool) -> dict[str, Policy]:
    """All policies of a directory, by platform: every `*.yaml`, each named after its platform.

    Files whose name starts with a dot are left alone.

    Raises:
        PolicyFaults: all that is wrong with any of them, or with the directory.
    """
    if not directory.is_dir():
        cure = "name a directory of policy files"
        raise PolicyFaults([Fault(str(directory), 1, "there is no such directory", cure)])
    return load_paths([directory], require_approvals=require_approvals)


def load_paths(paths: Iterable[Path], *, require_approvals: bool) -> dict[str, Policy]:
    """As `load_policies`, from files and directories together (`byline policy check PATH…`).

    Raises:
        PolicyFaults: all that is wrong with any of them.
    """
    faults: list[Fault] = []
    read: list[tuple[Path, Draft]] = []
    for path in _files(paths, faults):
        draft, findings = _read_file(path, require_approvals=require_approvals)
        faults += findings.faults
        if draft is not None and draft.platform:
            read.append((path, draft))
    read.sort(key=lambda file: file[1].platform != file[0].stem)
    drafts: dict[str, Draft] = {}
    first: dict[str, Path] = {}
    for path, draft in read:
        if draft.platform != path.stem:
            message = f"platform {draft.platform!r} is not the file's name"
            cure = f"rename the file {draft.platform}.yaml, or write platform: {path.stem}"
            faults.append(Fault(str(path), draft.platform_line, message, cure))
        if draft.platform in drafts:
            message = f"platform {draft.platform!r} is in {first[draft.platform]} too"
            faults.append(
                Fault(str(path), draft.platform_line, message, "keep one file a platform")
            )
            continue
        drafts[draft.platform] = draft
        first[draft.platform] = path
    if faults:
        raise PolicyFaults(faults)
    return {platform: drafts[platform].make() for platform in sorted(drafts)}


def _files(paths: Iterable[Path], faults: list[Fault]) -> list[Path]:
    """The files to read, each once; a directory without any, or with `*.yml`, is a fault."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        files = [entry for entry in inside if entry.suffix == ".yaml"]
        for entry in inside:
            if entry.suffix == ".yml":
                cure = f"rename it {entry.stem}.yaml"
                faults.append(Fault(str(entry), 1, "a policy file ends in .yaml", cure))
        if not files:
            cure = "put a policy file there, PLATFORM.yaml"
            faults.append(Fault(str(path), 1, "there is no policy file in it", cure))
        found += files
    return list(dict.fromkeys(found))


def _read_file(path: Path, *, require_approvals: bool) -> tuple[Draft | None, Findings]:
    findings = Findings(str(path))
    root = _compose(path, findings)
    if root is None:
        return None, findings
    return read_policy(root, findings, require_approvals=require_approvals), findings


def _compose(path: Path, findings: Findings) -> Node | None:
    """The document as nodes with their lines, or None and a fault."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        text = raw.decode("utf-8")
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        findings.add(1, f"cannot be read ({what})", "name a readable file")
        return None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        findings.add(line, "this is not UTF-8", "save the file as UTF-8")
        return None
    if len(raw) > MAX_FILE_BYTES:
        findings.add(1, "the file is over 1 MiB", "a policy is far smaller: name the right file")
        return None
    try:
        root: Node | None = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "unreadable"
        findings.add(
            mark.line + 1 if mark else 1, f"this is not YAML 1.2 ({what})", "mend the YAML"
        )
        return None
    except (YAMLError, RecursionError) as error:
        what = str(error).splitlines()[0]
        findings.add(1, f"this is not YAML 1.2 ({what})", "mend the YAML")
        return None
    if root is None:
        findings.add(1, "the file is empty", "write a policy")
    return root
