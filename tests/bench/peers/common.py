"""What the Python peers share: their environment, the rule, the shape of an invitation."""

import os
import time
import uuid

BOOTSTRAP = os.environ.get("BOOTSTRAP", "")
APPLICATION = os.environ.get("APPLICATION", "")
FOLLOWERS = os.environ.get("FOLLOWERS", "")
CATEGORIES = os.environ.get("CATEGORIES", "")
INVITATIONS = os.environ.get("INVITATIONS", "")
STATE_DIR = os.environ.get("STATE_DIR", "")
PARTITIONS = int(os.environ.get("PARTITIONS", "8"))
CHANGELOG = f"{APPLICATION}-changelog"

COVERED = frozenset({"财经", "法律", "医疗", "军事", "时政"})
LINE = 1_000_000

_told: list[bool] = []


def invitation(platform: str, account_id: str, followers: int) -> dict[str, object]:
    """An invitation as the peers write it."""
    name = f"{platform}:{account_id}@{LINE}"
    return {
        "invitation_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "platform": platform,
        "account_id": account_id,
        "followers": followers,
        "line": LINE,
    }


def first() -> None:
    """Tell the benchmark that the first record is being processed."""
    if not _told:
        _told.append(True)
        print(f"FIRST {time.time():.3f}", flush=True)
