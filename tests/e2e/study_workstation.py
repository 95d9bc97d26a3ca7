"""One reader at one workstation, writing into a study on a server. Started by test_study_postgres.py as a process.

Arguments: the server's URL, the reader package, a local folder, the passphrase. Prints one line per acknowledged answer,
and goes on where an earlier process on the same folder was killed.
"""

import sys
from pathlib import Path

from study.package import open_package
from study.session import Session, Step
from study.store import StudyStore
from study.study_events import KIND_OF
from tests.unit.study.study_maker import answer

url, package_path, folder, passphrase = sys.argv[1:]
package = open_package(Path(package_path))
session = Session(package.protocol, package.plan, package.reader_id, package.manifest_sha256, package.open_aid)
study = package.protocol.study_id


def rating(case_id: str) -> float:
    """What this reader answers on a case hangs on both names alone, and is never 50."""
    return float((sum(map(ord, package.reader_id + case_id)) * 37) % 49) + (51 if int(case_id[-1], 16) % 2 else 0)


with StudyStore(url, "test", study=study, local_folder=Path(folder)) as store:

    def do(payload):
        session.apply(store.append(KIND_OF[type(payload)], package.reader_id, payload).result())

    session.apply_all(event for event in store.events() if event.device == store.device())
    if not session.started:
        do(session.start("test"))
    print("started", flush=True)
    sys.stdin.readline()  # all workstations write at once
    while (state := session.current) is not None:
        if state.step is Step.REVEAL:
            do(session.reveal())
        else:
            do(session.answer(answer(session, rating(state.slot.case_id))))
        print("answered", state.slot.index, flush=True)
    do(session.sign(package.manifest.account, passphrase, store.head()))
    assert session.violations == [], session.violations
    print("signed", store.device(), flush=True)
