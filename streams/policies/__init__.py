"""Loads policies from YAML files; refuses them with every fault at once: file, line and fix.

    policies = load_policies(Path("deploy/policies"), require_approvals=False)
    policy = load_policy(Path("deploy/policies/weibo.yaml"))

Both raise `PolicyFaults`, whose `faults` are all that is wrong, in order of file and line.
"""

from collections.abc import Iterable
from pathlib import Path

from streams.core.model.policy import Policy
from streams.policies.document import read_document
from streams.policies.faults import Fault, Findings, PolicyFaults
from streams.policies.reading import KEYS, PolicyDraft, read_policy

__all__ = ["Fault", "PolicyFaults", "load_paths", "load_policies", "load_policy"]


def load_policy(path: Path, *, require_approvals: bool = False, now: int | None = None) -> Policy:
    """Loads the policy in one file, whatever the file is called.

    `now`: the clock of this machine (ms). No approval may be more than PT5M ahead of it; None: that
    is not checked (replay and backtest read policies of other days and machines).

    Raises:
        PolicyFaults: all that is wrong with it.
    """
    draft, findings = _read_file(path, require_approvals=require_approvals, now=now)
    if draft is None or findings.faults:
        raise PolicyFaults(findings.faults)
    return draft.make()


def load_policies(
    directory: Path, *, require_approvals: bool, now: int | None = None
) -> dict[str, Policy]:
    """Loads all policies of a directory, by platform: every `*.yaml`, each named by its platform.

    Files whose name starts with a dot are skipped. `now` as in `load_policy`.

    Raises:
        PolicyFaults: all that is wrong with any of them, or with the directory.
    """
    if not directory.is_dir():
        fix = "name a directory of policy files"
        raise PolicyFaults([Fault(str(directory), 1, "there is no such directory", fix)])
    return load_paths([directory], require_approvals=require_approvals, now=now)


def load_paths(
    paths: Iterable[Path], *, require_approvals: bool, now: int | None = None
) -> dict[str, Policy]:
    """Loads as `load_policies` does, from files and directories (`byline policy check PATH…`).

    Raises:
        PolicyFaults: all that is wrong with any of them.
    """
    faults: list[Fault] = []
    read: list[tuple[Path, PolicyDraft]] = []
    for path, inside in _files(paths, faults):
        draft, findings = _read_file(
            path, inside=inside, require_approvals=require_approvals, now=now
        )
        faults += findings.faults
        if draft is not None and draft.platform:
            read.append((path, draft))
    read.sort(key=lambda file: file[1].platform != file[0].stem)
    drafts: dict[str, PolicyDraft] = {}
    first: dict[str, Path] = {}
    for path, draft in read:
        if draft.platform != path.stem:
            message = f"platform {draft.platform!r} is not the file's name"
            fix = f"rename the file {draft.platform}.yaml, or write platform: {path.stem}"
            faults.append(Fault(str(path), draft.platform_line, message, fix))
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


def _files(paths: Iterable[Path], faults: list[Fault]) -> list[tuple[Path, Path | None]]:
    """Returns the files to read, each once, with the directory in which it was found, or None.

    A directory without a policy, or with a `*.yml`, is a fault.
    """
    found: dict[Path, Path | None] = {}
    for path in paths:
        if not path.is_dir():
            found.setdefault(path)
            continue
        try:
            inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        except OSError as error:
            what = f"cannot be read ({(error.strerror or str(error)).lower()})"
            faults.append(Fault(str(path), 1, what, "name a readable directory"))
            continue
        files = [entry for entry in inside if entry.suffix == ".yaml"]
        for entry in inside:
            if entry.suffix == ".yml":
                fix = f"rename it {entry.stem}.yaml"
                faults.append(Fault(str(entry), 1, "a policy file ends in .yaml", fix))
        if not files:
            fix = "put a policy file there, PLATFORM.yaml"
            faults.append(Fault(str(path), 1, "there is no policy file in it", fix))
        for entry in files:
            found.setdefault(entry, path)
    return list(found.items())


def _read_file(
    path: Path, *, require_approvals: bool, now: int | None, inside: Path | None = None
) -> tuple[PolicyDraft | None, Findings]:
    findings = Findings(str(path))
    root = read_document(path, findings, KEYS, inside=inside)
    if root is None:
        return None, findings
    return read_policy(root, findings, require_approvals=require_approvals, now=now), findings
