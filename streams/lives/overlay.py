"""Makes the policies that lives run under: a policy file, with named blocks merged into it.

A block is a part of a policy under `with:` in a file of tests.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from ruamel.yaml.nodes import Node

from streams.core.model.policy import Policy
from streams.lives.nodes import laid_over
from streams.policies.document import read_document
from streams.policies.faults import Findings, PolicyFaults
from streams.policies.reading import KEYS, read_policy

Blocks = tuple[str, ...]
Change = Callable[[Node], Node | None]
"""Returns a changed copy of a policy's document; None: the change does not apply to it."""


class TestedFile:
    """One policy file, and the policies that come of it with blocks merged in.

    `blocks`: by name. `suite`: the path of the file of tests, for messages.

    Raises:
        PolicyFaults: the policy file itself is refused.
    """

    __test__ = False

    def __init__(self, path: Path, blocks: Mapping[str, Node], suite: str) -> None:
        findings = Findings(str(path))
        root = read_document(path, findings, KEYS)
        if root is None or findings.faults:
            raise PolicyFaults(findings.faults)
        self.path = path
        self.root = root
        self._blocks, self._suite = blocks, suite
        self._made: dict[Blocks, Policy] = {}
        self.platform = self.under(()).platform

    def under(self, names: Blocks) -> Policy:
        """Returns the policy with these blocks merged into the file in this order.

        Raises:
            PolicyFaults: the result is refused; the faults name the file of tests.
        """
        if names not in self._made:
            self._made[names] = _policy(self.document(names), self._where(names))
        return self._made[names]

    def document(self, names: Blocks) -> Node:
        """Returns the YAML document with these blocks merged into the file."""
        root = self.root
        for name in names:
            root = laid_over(root, self._blocks[name])
        return root

    def changed(self, names: Blocks, change: Change) -> Policy | None:
        """Returns the policy with these blocks and a change; None if the change does not apply.

        Raises:
            PolicyFaults: the changed policy is refused.
        """
        root = change(self.document(names))
        return None if root is None else _policy(root, self._where(names))

    def _where(self, names: Blocks) -> str:
        return str(self.path) if not names else self._suite


def _policy(root: Node, where: str) -> Policy:
    findings = Findings(where)
    draft = read_policy(root, findings, require_approvals=False)
    if findings.faults:
        raise PolicyFaults(findings.faults)
    return draft.make()
