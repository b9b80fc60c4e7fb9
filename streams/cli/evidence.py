"""`byline evidence`: writes a file of proofs for an auditor."""

import asyncio
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_error, echo_json, settings
from streams.cli.source import now_ms
from streams.cli.times import time_of
from streams.evidence.gathering import Evidence, EvidenceRequest, gather
from streams.evidence.samples import Anew
from streams.evidence.signing import digest_line, sign
from streams.operate.audit.reading import MissingTopicsError
from streams.operate.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(evidence)


def evidence(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it is written; a new file.")],
    start: Annotated[str, typer.Option("--from", help="RFC 3339: the first instant.")],
    end: Annotated[
        str | None, typer.Option("--to", help="RFC 3339: the first after it; default: now.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="Of one platform alone.")] = None,
    samples: Annotated[
        int, typer.Option(min=0, help="So many decisions are decided anew by the core.")
    ] = 20,
    key: Annotated[
        Path | None, typer.Option(help="An Ed25519 private key in PEM: signs the file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a file for an auditor: policies in force and who approved them, counts, proofs.

    It reads only the topics. It verifies the hash chain of the decision log, checks the invariants
    in the period, and lets the core decide samples again; the chain's head selects them. It also
    writes FILE.sha256 and, with --key, FILE.sig. Exit 1 if something is wrong; FILE says what.
    """
    chosen, now = settings(without_policies=True), now_ms()
    asked = EvidenceRequest(
        time_of("--from", start), now if end is None else time_of("--to", end), platform, samples
    )
    if asked.end <= asked.start:
        raise UsageError("--to is not later than --from")
    beside = [file, _beside(file, "sha256"), _beside(file, "sig")]
    taken = [it for it in beside if it.exists()]
    if taken:
        raise UsageError(f"{taken[0]} is there already: evidence is never written over")
    if key is not None:
        sign(b"", key)  # A wrong key is reported before the topics are read, which takes long.
    try:
        found = asyncio.run(gather(chosen, asked))
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    content = json.dumps(found.as_dict(now, version("byline")), ensure_ascii=False, indent=2)
    digest = _write(file, content.encode() + b"\n", key)
    if as_json:
        echo_json({"file": str(file), "sha256": digest, "sound": found.sound, **_sums(found)})
    else:
        _print(file, digest, found, signed=key is not None)
    raise typer.Exit(0 if found.sound else 1)


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(f"{file.name}.{ending}")


def _write(file: Path, content: bytes, key: Path | None) -> str:
    try:
        with file.open("xb") as out:
            out.write(content)
        _beside(file, "sha256").write_text(digest_line(content, file.name))
        if key is not None:
            _beside(file, "sig").write_bytes(sign(content, key)[0])
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    return hashlib.sha256(content).hexdigest()


def _sums(found: Evidence) -> dict[str, int]:
    return {
        "policies": len(found.policies),
        "decisions": found.decisions,
        "events": sum(found.events.values()),
        "log_records": found.verified.records,
        "breaks": len(found.verified.breaks),
        "unjudged": found.unjudged,
        "breaches": len(found.breaches),
        "samples": len(found.samples),
        "decided_anew": found.came_out(Anew.SAME),
        "decided_otherwise": found.came_out(Anew.OTHERWISE),
    }


def _print(file: Path, digest: str, found: Evidence, *, signed: bool) -> None:
    sums = _sums(found)
    echo(f"{file}: {sums['policies']} policies, {sums['decisions']:,} decisions in the period")
    echo(f"the chain of {sums['log_records']:,} records has {sums['breaks']} breaks")
    if sums["unjudged"]:
        echo(f"{sums['unjudged']:,} events are not judged: `byline audit` says why")
    echo(f"the invariants have {sums['breaches']} breaches")
    echo(f"{sums['decided_anew']} of {sums['samples']} samples were decided anew, byte for byte")
    for anew, why in sorted({(it.anew, it.why) for it in found.samples if it.why}):
        echo_error(f"{anew.replace('_', ' ')}: {why}")
    echo(f"SHA-256 {digest}" + ("; signed" if signed else ""))
