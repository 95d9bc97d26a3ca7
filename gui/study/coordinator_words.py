"""What the coordinator's window says of a study: how far each reader is, which phase it is in, what comes next."""

from __future__ import annotations

from datetime import datetime

from gui.study.coordinator_overview import Check, Overview, ReaderLine


def reader_cells(line: ReaderLine) -> tuple[str, ...]:
    """Counts and states, never an answer."""
    if line.signed:
        state = "Finished and signed"
    elif line.waits_until:
        state = f"Washout until {line.waits_until}"
    elif line.came_back and line.done == line.total:
        state = "Everything read, not signed yet"
    elif line.came_back:
        state = "Reading"
    elif line.handed_out:
        state = "Nothing has come back yet"
    else:
        state = "Enrolled"
    package = "to be renewed" if line.needs_new_package else "handed out" if line.handed_out else "–"
    practice = f"{line.practice_done} of {line.practice_total}" if line.practice_total else "–"
    if line.resets:
        state += f"; {line.resets} new key{'' if line.resets == 1 else 's'}"
    return line.id, line.experience or "–", package, practice, f"{line.done} of {line.total}", state


def phase_words(held: Overview | None) -> str:
    if held is None:
        return ""
    if held.unsealed_utc:
        return f"Unsealed {local_time(held.unsealed_utc)}"
    if held.closed_utc:
        return f"Reading phase closed {local_time(held.closed_utc)}; the truth is sealed"
    return "Reading phase open; the truth is sealed"


def next_words(held: Overview | None) -> str:
    if held is None:
        return ""
    if held.unsealed_utc:
        return "The results can be opened at any time."
    if held.closed_utc:
        return "Next: unseal the truth."
    planned, enrolled = held.protocol.planned_readers, len(held.readers)
    if not enrolled:
        return f"Next: enrol the readers; {planned} {'is' if planned == 1 else 'are'} planned."
    waiting = [line.id for line in held.readers if not line.handed_out]
    renew = [line.id for line in held.readers if line.needs_new_package]
    words = []
    if renew:
        words.append(f"Next: hand out a new package to {', '.join(renew)}; the old one does not open with the new key.")
    if waiting:
        words.append(f"Next: hand out the package of {', '.join(waiting)}.")
    if enrolled < planned:
        words.append(f"{enrolled} of {planned} planned readers {'is' if enrolled == 1 else 'are'} enrolled.")
    elif not words:
        if held.unfinished:
            words.append(f"Waiting for {', '.join(held.unfinished)}.")
        else:
            words.append("Everybody has finished and signed: the reading phase can be closed.")
    return " ".join(words)


def check_words(found: Check) -> str:
    """The verdict of the verification."""
    what = f"{found.events} events in {found.chains} chain{'' if found.chains == 1 else 's'} were looked at"
    number = len(found.problems)
    verdict = f"{number} problem{'' if number == 1 else 's'}." if number else "All sound: hashes and signatures fit."
    words = f"{verdict} {what}, {datetime.now():%H:%M:%S}."  # noqa: DTZ005 - the coordinator's own clock
    if not found.unsigned:
        return words
    one = len(found.unsigned) == 1
    return (
        f"{words} {len(found.unsigned)} of the coordinator's entries carr{'ies' if one else 'y'} no signature of "
        f"{'its' if one else 'their'} own (event {', '.join(map(str, found.unsigned))}): whether the coordinator made "
        f"{'it' if one else 'them'} cannot be told."
    )


def local_time(utc: str) -> str:
    return f"{datetime.fromisoformat(utc).astimezone():%Y-%m-%d %H:%M}" if utc else ""
