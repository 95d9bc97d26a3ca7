"""Where a reader's answers lie on their machine. No Qt.

Every reader of every study has a folder of their own in the data folder, with its own record and its own device id:
two readers who share a computer write two chains, and neither finds the other's answers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from study.accounts import Account, AccountError, check_passphrase
from study.aids import Aid
from study.package import ReaderPackage
from study.returned import SUFFIX, Returned, write_return
from study.session import Session
from study.store import StudyStore

FOLDER = "study-readings"
RECORD = "readings.sqlite"


class AidShelf:
    """What may be known of the CNN by now, each answer read from the package once.

    A session asks for an answer whenever one is given with it in view: that must not wait for the disk.
    """

    def __init__(self, read: Callable[[str], Aid]) -> None:
        self._read = read
        self._held: dict[str, Aid] = {}

    def __call__(self, case_id: str) -> Aid:
        if case_id not in self._held:
            self._held[case_id] = self._read(case_id)
        return self._held[case_id]


@dataclass(frozen=True)
class Desk:
    """A reader who has signed in: what they read, how far they are, where it is kept."""

    package: ReaderPackage
    session: Session
    store: StudyStore
    account: Account  # under the passphrase that holds now
    begun_with: frozenset[str]  # manifests of the packages that were begun on this machine
    notices: tuple[str, ...]  # sentences: what the record says about its own state


def reader_folder(data_folder: Path, study_id: str, reader_id: str) -> Path:
    return data_folder / FOLDER / _file_name(study_id) / _file_name(reader_id)


def make_store(data_folder: Path, package: ReaderPackage, app_version: str) -> StudyStore:
    """Touches no disk yet."""
    folder = reader_folder(data_folder, package.protocol.study_id, package.reader_id)
    return StudyStore(folder / RECORD, app_version, study=package.protocol.study_id)


def sign_in(package: ReaderPackage, passphrase: str, store: StudyStore) -> Desk:
    """Go through the record to where the reader stopped, and check the passphrase. Waits for argon2 and the disk.

    Raises AccountError, StoreError.
    """
    account = package.manifest.account
    known = store.path is not None and store.path.exists()
    if not known:  # a stranger's guess leaves no record behind
        check_passphrase(account, passphrase)
    shelf = AidShelf(package.open_aid)
    session = Session(package.protocol, package.plan, package.reader_id, package.manifest_sha256, shelf)
    device = store.device()
    history = store.history()
    own = [event for event in history.events if event.device == device and event.study == package.protocol.study_id]
    begun = set()
    for event in own:
        payload = session.apply(event)
        manifest = getattr(payload, "manifest_sha256", "")
        if manifest:
            begun.add(manifest)
    if known:
        account = _check_own(account, session, passphrase)
    notices = [problem.sentence for problem in history.problems] + [
        violation.sentence for violation in session.violations
    ]
    if notices:
        notices.insert(0, "The record of your answers is not as it was written; tell the coordinator before you go on.")
    return Desk(package, session, store, account, frozenset(begun), (*notices, *store.warnings))


def _check_own(handed: Account, session: Session, passphrase: str) -> Account:
    """The account under the passphrase that the reader chose here, unless the coordinator has given them a new key since.

    Raises AccountError.
    """
    changed = session.changed
    if changed is None or changed.account.public_key != handed.public_key:
        check_passphrase(handed, passphrase)
        return handed
    try:
        check_passphrase(changed.account, passphrase)
    except AccountError as error:
        day = datetime.fromisoformat(session.changed_utc).astimezone()
        raise AccountError(f"{error} You changed it on this computer on {day.day} {day:%B %Y}.") from None
    return changed.account


def return_file_name(package: ReaderPackage) -> str:
    """Suggested for what is sent back: who, and a trace of which study."""
    title = re.sub(r"[^\w]+", "-", package.protocol.title, flags=re.ASCII).strip("-").lower()[:40]
    return f"{_slug(package.reader_id)}-{title or package.protocol.study_id[:8]}{SUFFIX}"


def return_to(path: Path, package: ReaderPackage, store: StudyStore) -> Returned:
    """Write all answers so far into one file for the coordinator. Waits. Raises ReturnError, StoreError."""
    return write_return(path, package.protocol.study_id, package.reader_id, store.events(), store.device())


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:32] or "reader"


def _file_name(text: str) -> str:
    """Safe on every system, and different for different texts: a package may come from anybody."""
    return f"{_slug(text)}-{hashlib.sha256(text.encode('utf-8')).hexdigest()[:8]}"
