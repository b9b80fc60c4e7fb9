"""`byline policy check|show`: checks policy files, and shows the effective policy."""

import difflib
import io
import json
import time
from pathlib import Path
from typing import Annotated

import typer
from ruamel.yaml import YAML

from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.cli.policy_running import show_running
from streams.cli.source import FromKafka
from streams.operate.errors import UsageError
from streams.operate.policy_show import show as effective
from streams.policies import PolicyFaults, load_paths, load_policies
from streams.policies.warnings import warnings

app = typer.Typer(help="The rules of each platform, one YAML file each.", no_args_is_help=True)


@app.command()
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or directories; default: the policies in force."),
    ] = None,
    running: Annotated[
        bool, typer.Option("--running", help="And compare them with what the workers run.")
    ] = False,
    kafka: FromKafka = False,
    as_json: AsJson = False,
) -> None:
    """Check policy files as a worker does: print every fault, exit 1 if a file is refused.

    What is allowed but probably a mistake is a warning, which does not change the exit code.

    --running compares each file with the policy that the partitions work under, from the index if
    there is one that is not behind, else from Kafka, and says what it would change; exit 1 if
    anything differs.
    """
    chosen = settings()
    try:
        found = load_paths(
            paths or [chosen.policies],
            require_approvals=chosen.require_approvals,
            now=int(time.time() * 1000),
        )
    except PolicyFaults as refused:
        if as_json:
            faults = [str(fault) for fault in refused.faults]
            echo_json({"ok": False, "faults": faults, "more": refused.more})
        else:
            echo_error(str(refused))
        raise typer.Exit(1) from None
    if running:
        show_running(chosen, found, kafka, as_json)
        return
    rows = [(it.platform, it.version, it.mode.value, it.digest) for it in found.values()]
    warned = [f"{it.platform}: {words}" for it in found.values() for words in warnings(it)]
    if as_json:
        names = ("platform", "version", "mode", "digest")
        loaded = [dict(zip(names, row, strict=True)) for row in rows]
        echo_json({"ok": True, "policies": loaded, "warnings": warned})
    else:
        echo_table(("platform", "version", "mode", "digest"), rows)
        for words in warned:
            echo(f"warning: {words}")


@app.command()
def show(platform: str, as_json: AsJson = False) -> None:
    """Show the effective policy of a platform and its digest."""
    chosen = settings()
    policies = load_policies(chosen.policies, require_approvals=chosen.require_approvals)
    if platform not in policies:
        near = difflib.get_close_matches(platform, policies, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(policies)}"
        raise UsageError(f"no policy of {platform} in {chosen.policies}; {hint}")
    plain = effective(policies[platform])
    if as_json:
        echo_json(plain)
        return
    text = io.StringIO()
    yaml = YAML(pure=True)
    yaml.representer.add_representer(
        type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    yaml.dump(json.loads(json.dumps(plain)), text)
    echo(text.getvalue().rstrip())
