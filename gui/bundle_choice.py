"""Which network answers: those that came with the program, those that somebody added, and the one that is taken."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.model_bundle import BundleError, ModelBundle, ModelCard, find_bundles, load_bundle

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    bundle: ModelBundle
    is_added: bool  # it lies in the data folder, and did not come with the program

    @property
    def card(self) -> ModelCard:
        return self.bundle.card

    @property
    def name(self) -> str:
        return f"{self.card.id} {self.card.version}"


def find_networks(shipped: Path, added: Path) -> list[Network]:
    """Of both folders, as far as they can be read; what is wrong with the others goes into the log."""
    networks = []
    for models, is_added in ((shipped, False), (added, True)):
        for folder in find_bundles(models):
            try:
                # The worker verifies hashes and replays the reference before it answers anything.
                networks.append(Network(load_bundle(folder, verify=False), is_added))
            except BundleError as error:
                log.warning("A model was left out: %s", error.sentence)
    return networks


def choose_network(networks: Sequence[Network], model_id: str) -> Network | None:
    """The newest version of the network that the settings name, else of the one that came with the program.

    What somebody has added is taken only where it is named or newer: of equal versions the program's own counts.
    """
    named = [network for network in networks if network.card.id == model_id]
    own = [network.card.id for network in networks if not network.is_added]
    usual = [network for network in networks if network.card.id in own[-1:]]
    return max(named or usual or networks, key=_newest_first, default=None)


def origin_words(chosen: Network, networks: Sequence[Network]) -> str:
    """A sentence where the network did not come with the program, else ""."""
    if not chosen.is_added:
        return ""
    own = ", ".join(network.name for network in networks if not network.is_added)
    return f"{chosen.name} was added in the data folder; " + (
        f"the program came with {own}." if own else "the program came without a network."
    )


def _newest_first(network: Network) -> tuple[tuple[int, ...], bool, bool]:
    """Semantic versions: a pre-release comes before its release; what was added loses a tie."""
    plain, dash, _ = network.card.version.partition("+")[0].partition("-")
    return tuple(int(part) for part in plain.split(".")), not dash, not network.is_added
